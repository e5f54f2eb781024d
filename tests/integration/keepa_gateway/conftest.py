"""A gateway with everything real around it, for each test anew."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from tests.integration.keepa_gateway.world import BOOKS, CANARY, Sandbox, World, sandbox_process


@pytest.fixture(scope="session")
def rich_sandbox() -> Iterator[Sandbox]:
    """A stand-in whose bucket no test can empty."""
    with sandbox_process("--rate", "2000", "--key", CANARY) as sandbox:
        yield sandbox


MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def make_world(
    fresh_database: str, fresh_service_database: Callable[[str], str], nats_server: str
) -> AsyncIterator[MakeWorld]:
    """Build a world around a stand-in."""
    async with AsyncExitStack() as stack:

        async def make(sandbox: Sandbox, *, gateways: int = 1, **settings: object) -> World:
            world = World(
                sandbox,
                fresh_database,
                fresh_service_database,
                nats_server,
                stack,
                settings=settings,
            )
            await world.start_budget()
            for _ in range(gateways):
                await world.start_gateway()
            await world.ready()
            if sandbox.url not in BOOKS:
                request = pb.FindProductsRequest(
                    request_id=str(uuid.uuid4()),
                    selection=pb.ProductSelection(root_category_id=283155),
                    per_page=200,
                )
                BOOKS[sandbox.url] = list((await world.gateway.FindProducts(request)).asins)
            return world

        yield make


@pytest.fixture
async def world(make_world: MakeWorld, rich_sandbox: Sandbox) -> World:
    """The usual world: one gateway, and more tokens than any test spends."""
    return await make_world(rich_sandbox)
