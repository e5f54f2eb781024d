"""A request that comes again while its own call is still out: it is one call all the same."""

import asyncio
import uuid

import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from tests.integration.keepa_gateway.conftest import MakeWorld
from tests.integration.keepa_gateway.world import Sandbox, held, products
from tests.support import until

pytestmark = pytest.mark.anyio


async def test_a_list_whose_answer_was_read_before_it_was_asked_again_is_paid_once(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """INV-12: a frozen replica stores its answer late; it is too old for nobody who paid for it."""
    world = await make_world(rich_sandbox, gateways=2)
    request = pb.FindProductsRequest(
        request_id=str(uuid.uuid4()),
        selection=pb.ProductSelection(root_category_id=283155),
        max_age_duration=Duration(seconds=0),
    )
    before = len(await rich_sandbox.asked("query"))

    async def find(replica: int) -> pb.FindProductsResponse:
        return await world.gateways[replica].FindProducts(request)

    async with held(world, "keepa_gateway.listings") as waited_for:
        first = asyncio.create_task(find(0))
        await until(waited_for)
        again = asyncio.create_task(find(1))
        await asyncio.sleep(0.3)  # Until it waits for the first; sooner, there is no race.
    one, other = await first, await again

    assert one.asins == other.asins
    assert one.token_count == other.token_count
    assert len(await rich_sandbox.asked("query")) == before + 1


async def test_products_whose_answer_was_read_before_they_were_asked_again_are_paid_once(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """INV-12: the same for products."""
    world = await make_world(rich_sandbox, gateways=2)
    request = products(rich_sandbox.asins(3), max_age_duration=Duration(seconds=0))
    before = len(await rich_sandbox.asked("product"))

    async def fetch(replica: int) -> list[tuple[str, int]]:
        stream = world.gateways[replica].GetProducts(request)
        return sorted(
            [(one.requested, one.token_count) async for some in stream for one in some.results]
        )

    async with held(world, "keepa_gateway.snapshots") as waited_for:
        first = asyncio.create_task(fetch(0))
        await until(waited_for)
        again = asyncio.create_task(fetch(1))
        await asyncio.sleep(0.3)
    one, other = await first, await again

    assert one == other
    assert len(await rich_sandbox.asked("product")) == before + 1
