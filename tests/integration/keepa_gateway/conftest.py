"""A gateway with everything real around it, for each module or for each test anew."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from services.chassis.testing.engines import Databases
from tests.integration.keepa_gateway.world import CANARY, Sandbox, World, sandbox_process

MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture(scope="module", autouse=True)
def hurried() -> Iterator[None]:
    """Let the loops look more often than production needs to; no rule changes with it.

    For these modules alone: what else runs in this process must not depend on what ran before.
    """
    loops = "services.keepa_gateway.usecases"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{loops}.reconciler.ROUND_SECONDS", 0.3)
        patch.setattr(f"{loops}.reconciler.SETTLED_AFTER", timedelta(seconds=0.3))
        patch.setattr(f"{loops}.balance.CHECK_SECONDS", 0.3)
        yield


@pytest.fixture(scope="session")
def lasting_sandbox() -> Iterator[Sandbox]:
    """A stand-in whose bucket no test can empty."""
    with sandbox_process("--rate", "2000", "--key", CANARY) as sandbox:
        yield sandbox


@pytest.fixture
async def rich_sandbox(lasting_sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    """The same, for one test: a fault that met no request ends with it."""
    yield lasting_sandbox
    await lasting_sandbox.fault(fault="clear")


@pytest.fixture
async def make_world(databases: Databases, nats_server: str) -> AsyncIterator[MakeWorld]:
    """Build a world around a stand-in, in a database of its own."""
    async with AsyncExitStack() as stack:
        yield builder(databases, nats_server, stack)


@pytest.fixture(scope="module")
async def world(
    databases: Databases, nats_server: str, lasting_sandbox: Sandbox
) -> AsyncIterator[World]:
    """The usual world: one gateway, and more tokens than any test spends."""
    async with AsyncExitStack() as stack:
        yield await builder(databases, nats_server, stack)(lasting_sandbox)


def builder(databases: Databases, nats_url: str, stack: AsyncExitStack) -> MakeWorld:
    """Build what builds worlds; they end with the stack."""

    async def make(sandbox: Sandbox, *, gateways: int = 1, **settings: object) -> World:
        database = databases.copy()
        stack.callback(databases.drop, database)
        world = World(sandbox, databases, database, nats_url, stack, settings=settings)
        await world.start_budget()
        for _ in range(gateways):
            await world.start_gateway()
        await world.ready()
        return world

    return make
