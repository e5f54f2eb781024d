"""Claims about outcomes that were stored late: the reconciler had given them up and settled them.

A process stalls between the arrival of an answer and its storing, for longer than a hold lives.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis import sql
from services.chassis.errors import Refusal
from services.chassis.testing.engines import Databases
from services.keepa_gateway import app
from services.keepa_gateway.clients.budget import GrpcBudget
from services.keepa_gateway.domain.attempt import Charge
from services.keepa_gateway.domain.calls import Deadlines
from services.keepa_gateway.ports import Hold
from services.keepa_gateway.storage import attempts
from services.keepa_gateway.usecases import gathering
from tests.integration.keepa_gateway import books
from tests.integration.keepa_gateway.conftest import builder
from tests.integration.keepa_gateway.replicas import answering_only
from tests.integration.keepa_gateway.world import (
    CANARY,
    GATHERING_SECONDS,
    World,
    collected,
    held,
    products,
    sandbox_process,
)
from tests.support import refusal, until

pytestmark = pytest.mark.anyio

# Holds run out long before the calls do, so that nobody need wait for a whole deadline.
BRIEF = Deadlines(plain=0.5, list=0.5)
NOBODY = "http://127.0.0.1:9"
STRANGERS = 2
SETTLED = "select count(*) from keepa_gateway.attempts where settled_at is not null"
GIVEN_UP = "update keepa_gateway.attempts set give_up_at = clock_timestamp()"
CALLS, PARTS = 3, 4


class Stall:
    """What keeps outcomes from being stored and booked, as a frozen process would."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.over = asyncio.Event()
        self.reached = 0
        self._pack = attempts.packed_snapshots
        patch.setattr(attempts, "packed_snapshots", self._packed)
        patch.setattr(app, "GrpcBudget", self._client)
        patch.setattr(gathering, "LONGEST_SECONDS", GATHERING_SECONDS)

    def _client(self, stub: Any, account: str, *, deadlines: Deadlines, margin: timedelta) -> Any:
        """Budget's client, whose holds are shorter than the calls, and which does not say so."""
        assert deadlines.plain > BRIEF.plain
        deceiving = Deceiving(stub, account, deadlines=BRIEF, margin=margin)
        deceiving.told = self.over
        return deceiving

    async def _packed(self, snapshots: Sequence[Any]) -> Any:
        packed = await self._pack(snapshots)
        self.reached += 1
        await self.over.wait()
        return packed


@dataclass(frozen=True, kw_only=True)
class Late:
    """What happened before, during and after the stall.

    Attributes:
        requests: Two payers of one call.
        meanwhile: What the first of them was told by another replica after the settlement.
        answers: What the two who waited got in the end.
        unsent: A request of which no byte ever left.
        asked: How many product calls Keepa got.
    """

    world: World
    requests: list[pb.GetProductsRequest]
    meanwhile: dict[str, pb.GetProductsResponse]
    answers: list[dict[str, pb.GetProductsResponse]]
    finder: pb.FindProductsRequest
    found: pb.FindProductsResponse
    unsent: Refusal
    asked: int


@pytest.fixture(scope="module")
async def late(databases: Databases, nats_server: str) -> AsyncIterator[Late]:
    """Stall once for all claims: it takes as long as a hold."""
    options = ("--rate", "2000", "--balance", "60000", "--books", "100", "--key", CANARY)
    async with AsyncExitStack() as stack:
        sandbox = stack.enter_context(sandbox_process(*options))
        stall = Stall(stack.enter_context(pytest.MonkeyPatch.context()))
        world = await builder(databases, nats_server, stack)(sandbox, gateways=2)
        try:
            yield await stalled(world, stall)
        finally:
            stall.over.set()


class Deceiving(GrpcBudget):
    """Lets calls leave that are longer than their holds, and tells what they cost too late."""

    told: asyncio.Event

    async def reserve(self, *args: Any, **kwargs: Any) -> Hold | None:
        """Hold tokens, and say that it is for ever."""
        hold = await super().reserve(*args, **kwargs)
        return hold and replace(hold, covers_until=float("inf"))

    async def commit(self, charge: Charge) -> None:
        """Book, when the stall is over."""
        await self.told.wait()
        await super().commit(charge)

    async def release(self, hold: str) -> None:
        """Release, when the stall is over."""
        await self.told.wait()
        await super().release(hold)


async def stalled(world: World, stall: Stall) -> Late:
    """Ask, stall until everything is settled, and go on."""
    sandbox, before = world.sandbox, len(await world.sandbox.asked("product"))
    requests = [products(sandbox.asins(count)) for count in (2, 3)]
    finder = pb.FindProductsRequest(
        request_id=str(uuid.uuid4()),
        selection=pb.ProductSelection(root_category_id=283155),
    )
    nowhere = await answering_only(world, NOBODY)
    unsent = started(refusal(nowhere.GetProducts(products(sandbox.asins(STRANGERS)))))
    await until(lambda: counted(world, "select count(*) from keepa_gateway.attempts", 1))
    # They go on together, and so share a call.
    async with held(world, "keepa_gateway.claims", mode="access exclusive") as looking:
        waiting = [started(collected(world.gateway.GetProducts(one))) for one in requests]

        async def both() -> bool:
            return await looking() == len(requests)

        await until(both)
    finding = started(answered(world.gateway.FindProducts(finder)))
    await sandbox.fault(fault="foreign_spend", tokens=STRANGERS)

    async def parked() -> bool:
        return stall.reached == CALLS

    await until(parked)
    await executed(world, GIVEN_UP)
    await until(lambda: counted(world, SETTLED, PARTS))
    assert len(await world.holds(budget.RESERVATION_STATE_SETTLED)) == PARTS
    meanwhile = await collected(world.gateways[1].GetProducts(requests[0]))
    stall.over.set()
    return Late(
        world=world,
        requests=requests,
        meanwhile=meanwhile,
        answers=await asyncio.gather(*waiting),
        finder=finder,
        found=await finding,
        unsent=await unsent,
        asked=len(await sandbox.asked("product")) - before,
    )


def started(asking: "Coroutine[Any, Any, Any]") -> "asyncio.Task[Any]":
    return asyncio.create_task(asking)


async def answered(call: Any) -> Any:
    return await call


async def executed(world: World, query: str) -> Any:
    """Ask the gateway's tables for a number, or change them."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def counted(world: World, query: str, wanted: int) -> bool:
    """Whether a query counts so many rows."""
    return bool(await executed(world, query) == wanted)


async def test_products_stored_after_their_settlement_are_kept_for_who_paid(late: Late) -> None:
    """G5: given up and settled they were unknown; stored after all, they are there for both."""
    again = [await collected(late.world.gateways[1].GetProducts(one)) for one in late.requests]

    assert {one.status for one in late.meanwhile.values()} == {pb.PRODUCT_STATUS_UNKNOWN}
    for answers in (late.answers, again):
        for request, given in zip(late.requests, answers, strict=True):
            assert {one.status for one in given.values()} == {pb.PRODUCT_STATUS_FOUND}
            assert {one.product.asin for one in given.values()} == set(request.asins)
            assert sum(one.token_count for one in given.values()) == len(request.asins)
    assert late.asked == 1


async def test_a_list_stored_after_its_settlement_is_kept_for_who_paid(late: Late) -> None:
    """G5: the same for lists."""
    again = await late.world.gateways[1].FindProducts(late.finder)

    assert late.found.asins
    assert again.asins == late.found.asins
    assert again.token_count == late.found.token_count == 11


async def test_a_late_outcome_replaces_what_was_settled_for_it(late: Late) -> None:
    """The ledger has what Keepa took; a call that never left does not pay for a stranger."""
    world = late.world

    async def told() -> bool:
        return not await world.holds(budget.RESERVATION_STATE_SETTLED)

    await until(told)
    await world.sandbox.keep_from_ticks(books.COMPARING_SECONDS)
    await world.gateway.CheckConnection(pb.CheckConnectionRequest())
    account, verified = await world.account(), await world.verified()
    read = await books.read(world)

    assert late.unsent.reason == "KEEPA_UNAVAILABLE"
    assert read.spent == read.charged == 2 + 3 + 11
    assert account.held_token_count == account.unsettled_token_count == 0
    assert account.balance_token_count == await world.sandbox.balance()
    assert verified.consistent, verified.violations
