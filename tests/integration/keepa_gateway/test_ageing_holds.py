"""Claims about holds that grow old on the way out, by a slow budget or a process that died."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from services.budget.domain.reservation import Terms
from services.budget.usecases.budget import Budget
from services.budget.usecases.writer import Told
from services.keepa_gateway.domain.attempt import attempt_id
from services.keepa_gateway.usecases import gathering
from tests.integration.keepa_gateway import books
from tests.integration.keepa_gateway.conftest import MakeWorld
from tests.integration.keepa_gateway.world import (
    CANARY,
    GATHERING_SECONDS,
    collected,
    held,
    products,
    sandbox_process,
)
from tests.support import until

pytestmark = pytest.mark.anyio

HOLD = timedelta(seconds=3)
HERE = (pb.PRODUCT_STATUS_FOUND, pb.PRODUCT_STATUS_CACHED)
BRIEF = {"plain_seconds": 2.0, "hold_margin_seconds": 1.0}


async def test_no_call_leaves_under_a_hold_that_may_end_before_it(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INV-8: the holds of two ended while they waited for a third; nothing looks foreign.

    One of the two was held by a process that died; the same request finds it again.
    """
    answer, slow = asyncio.Event(), 3
    reserve = Budget.reserve

    async def held_back(self: Budget, terms: Terms, max_wait: timedelta) -> Told:
        told = await reserve(self, terms, max_wait)
        if terms.tokens == slow:
            await answer.wait()
        return told

    monkeypatch.setattr(Budget, "reserve", held_back)
    monkeypatch.setattr(gathering, "LONGEST_SECONDS", GATHERING_SECONDS)
    options = ("--rate", "2000", "--balance", "60000", "--books", "100", "--key", CANARY)
    with sandbox_process(*options) as sandbox:
        world = await make_world(sandbox, **BRIEF)
        wanted = [products(sandbox.asins(count)) for count in (1, 2, slow)]
        first = str(attempt_id(uuid.UUID(wanted[0].request_id), 0))
        own = budget.ReserveTokensRequest(
            request_id=first,
            token_count=1,
            account="accounts/default",
            priority=budget.PRIORITY_INTERACTIVE,
            kind=budget.RESERVATION_KIND_CALL,
            endpoint="product",
            hold_duration=Duration(seconds=3),
        )
        # They go on together, and so share a call.
        async with held(world, "keepa_gateway.claims", mode="access exclusive") as looking:
            asking = [asyncio.create_task(collected(world.gateway.GetProducts(x))) for x in wanted]

            async def all_here() -> bool:
                return await looking() == len(wanted)

            await until(all_here)
            fresh = await world.ledger.ReserveTokens(own)

        async def ended() -> bool:
            await world.gateway.CheckConnection(pb.CheckConnectionRequest())
            return len(await world.holds(budget.RESERVATION_STATE_SETTLED)) == len(wanted)

        try:
            await until(ended)
            old = await world.ledger.ReserveTokens(own)
        finally:
            answer.set()
        await asyncio.gather(*asking, return_exceptions=True)

        async def served() -> bool:
            """Whether all have their products; on a stalled machine one may be refused first."""
            asked = (world.gateway.GetProducts(products(list(each.asins))) for each in wanted)
            told = await asyncio.gather(*map(collected, asked), return_exceptions=True)
            return not any(isinstance(each, BaseException) for each in told) and all(
                one.status in HERE for each in told for one in each.values()
            )

        await until(served)
        kept = await books.balanced(world)

    assert fresh.remaining_hold_duration.ToTimedelta() == HOLD
    assert old.remaining_hold_duration.ToTimedelta() == timedelta(0)
    assert "FOREIGN" not in kept.flows
    arrived = {
        asin: line["arrived_ms"]
        for line in kept.priced
        for asin in line["params"].get("asin", "").split(",")
    }
    assert len(kept.calls) >= len(wanted)
    for call in kept.calls:
        ends = (call["held_at"] + HOLD).timestamp() * 1000
        assert all(arrived[asin] < ends for asin in call["subjects"])
