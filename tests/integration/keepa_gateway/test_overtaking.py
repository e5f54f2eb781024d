"""Nobody's click waits behind the patience of somebody else who wants the same thing."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from tests.integration.keepa_gateway.conftest import MakeWorld
from tests.integration.keepa_gateway.world import (
    World,
    collected,
    products,
    sandbox_process,
)
from tests.support import until

pytestmark = pytest.mark.anyio

SOON = 20.0
PATIENT = pb.Spending(priority=budget.PRIORITY_BACKGROUND, max_wait_duration=Duration(seconds=120))
Ask = Callable[[pb.Spending | None], Coroutine[Any, Any, Any]]


async def overtaken(world: World, ask: Ask) -> Any:
    """The answer of a click while the same question waits in the queue for tokens."""
    waiting = asyncio.create_task(ask(PATIENT))

    async def queued() -> bool:
        return bool(await world.holds(budget.RESERVATION_STATE_WAITING))

    await until(queued)
    async with asyncio.timeout(SOON):
        answer = await ask(None)
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return answer


async def test_a_click_does_not_wait_for_the_tokens_of_a_background_call(
    make_world: MakeWorld,
) -> None:
    """T6, G4, INC-9: what is joined is a call that was sent, not somebody's place in a queue."""
    with sandbox_process("--rate", "5", "--balance", "40", "--key", "k" * 64) as sandbox:
        world = await make_world(sandbox, keepa_api_key="k" * 64)
        (asin,) = world.sandbox.asins(1)

        async def product(spending: pb.Spending | None) -> dict[str, pb.ProductResult]:
            return await collected(world.gateway.GetProducts(products([asin], spending=spending)))

        async def categories(spending: pb.Spending | None) -> pb.GetCategoriesResponse:
            request = pb.GetCategoriesRequest(
                request_id=str(uuid.uuid4()), category_ids=[0], spending=spending
            )
            return await world.gateway.GetCategories(request)

        answers = await overtaken(world, product)
        listed = await overtaken(world, categories)

        assert answers[asin].status == pb.PRODUCT_STATUS_FOUND
        assert answers[asin].token_count == 1
        assert listed.categories
        assert (await world.verified()).consistent
