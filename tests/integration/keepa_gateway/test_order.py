"""G1: the order of every call, shown by what answers first when several things stand in its way."""

import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from tests.integration.keepa_gateway.conftest import MakeWorld
from tests.integration.keepa_gateway.world import Sandbox, collected, products
from tests.support import refusal

pytestmark = pytest.mark.anyio


async def test_what_is_nearest_to_the_caller_answers_first(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """G1: validation, the store, the caller's own limit, the way out; behind it nothing is taken."""
    world = await make_world(rich_sandbox)
    stored, *unknown = world.sandbox.asins(4)
    await collected(world.gateway.GetProducts(products([stored])))
    await world.sandbox.fault(fault="rate_limited", path="/product")
    await refusal(world.gateway.GetProducts(products(unknown[:1])))
    spent = (await world.account()).spent_token_count
    asked = await world.sandbox.asked("product")

    poor = pb.Spending(max_token_count=1)
    malformed = await refusal(world.gateway.GetProducts(products(["b-00000000"], spending=poor)))
    kept = await collected(world.gateway.GetProducts(products([stored], spending=poor)))
    dear = await refusal(world.gateway.GetProducts(products(unknown, spending=poor)))
    paused = await refusal(world.gateway.GetProducts(products(unknown)))

    assert malformed.reason == "INVALID_FIELD"
    assert kept[stored].status == pb.PRODUCT_STATUS_CACHED
    assert dear.reason == "TOO_EXPENSIVE"
    assert paused.reason == "KEEPA_RATE_LIMITED"
    account = await world.account()
    assert (account.spent_token_count, account.held_token_count) == (spent, 0)
    assert await world.sandbox.asked("product") == asked


async def test_tokens_are_reserved_before_a_call_and_settled_after_it(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """G1: by the clocks of budget and of the stand-in, which run on one machine."""
    world = await make_world(rich_sandbox)

    await collected(world.gateway.GetProducts(products(world.sandbox.asins(3))))

    (call,) = await world.holds(budget.RESERVATION_STATE_COMMITTED)
    sent = (await world.sandbox.asked("product"))[-1]
    assert call.create_time.ToMilliseconds() <= sent["arrived_ms"] + 1
    assert sent["finished_ms"] <= call.end_time.ToMilliseconds() + 1
    assert call.token_count == call.committed_token_count == sent["tokensConsumed"] == 3
