"""Every way in which an account was ever emptied, tried again through gateway and budget.

Each claim ends with the same audit: the ledger says what Keepa's own log says, and no request of
ours left less in the bucket than the floor.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import asyncpg
import grpc.aio
import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from services.chassis import sql
from services.chassis.errors import Refusal
from services.chassis.rpc.status import refusal_from
from services.chassis.testing.engines import Databases
from tests.integration.keepa_gateway import books
from tests.integration.keepa_gateway.conftest import builder
from tests.integration.keepa_gateway.world import (
    CANARY,
    World,
    collected,
    products,
    sandbox_process,
)
from tests.support import refusal, until

pytestmark = pytest.mark.anyio

FLOOR = 10
RATE = 20
TICK = timedelta(milliseconds=60_200)
LATE = timedelta(milliseconds=400)
CLAIM_SECONDS = 15.0  # A claim takes a few.
BOOKS_CATEGORY = 283155
CATEGORIES = (5, 3839, 3508, 173514)


@pytest.fixture(scope="module")
async def world(databases: Databases, nats_server: str) -> AsyncIterator[World]:
    """Two replicas over one usual account: 20 tokens a minute, 1,200 at most."""
    options = ("--rate", str(RATE), "--books", "2000", "--key", CANARY)
    async with AsyncExitStack() as stack:
        sandbox = stack.enter_context(sandbox_process(*options))
        yield await builder(databases, nats_server, stack)(sandbox, gateways=2)


async def stand_at(world: World, tokens: int) -> int:
    """Bring the true balance to ``tokens``, let budget learn it; returns the log's position.

    No tick comes before the claim is over.
    """
    await resume(world)
    await world.sandbox.keep_from_ticks(CLAIM_SECONDS)
    missing = tokens - await world.sandbox.balance()
    if missing:
        kind = "credit" if missing > 0 else "foreign_spend"
        await world.sandbox.fault(fault=kind, tokens=abs(missing))

    async def known() -> bool:
        for _ in range(2):  # A gift is believed when it was seen twice.
            await world.gateway.CheckConnection(pb.CheckConnectionRequest())
        account = await world.account()
        assert account.held_token_count == 0
        return bool(account.balance_token_count == await world.sandbox.balance())

    await until(known)
    return await position(world)


async def resume(world: World) -> None:
    """End a pause that an earlier claim left behind, and give every place back."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    try:
        await connection.execute("update keepa_gateway.egress set paused_until = null")
        await connection.execute("update keepa_gateway.throttle set full_at = clock_timestamp()")
    finally:
        await connection.close()


async def audited(world: World, since: int, *, floor: int = FLOOR) -> list[dict[str, int]]:
    """Compare the books, and return what was paid since then; none of it went below the floor."""
    told = await books.balanced(world)
    paid = [line for line in told.priced if line["seq"] > since]
    assert all(line["tokensLeft"] >= floor for line in paid), paid
    return paid


async def ask(world: World, place: int, request: pb.GetProductsRequest) -> int | Refusal:
    """Ask one of the replicas; returns how many products came, or why none did."""
    try:
        answers = await collected(world.gateways[place % 2].GetProducts(request))
    except grpc.aio.AioRpcError as error:
        return refusal_from(error)
    return sum(one.status == pb.PRODUCT_STATUS_FOUND for one in answers.values())


def insufficient(refused: Refusal, *, balance: int, required: int) -> bool:
    """Whether a refusal has exactly these numbers, and a wait that a tick could end."""
    assert refused.reason == "INSUFFICIENT_TOKENS", refused
    assert refused.domain == "budget.arbitragevault"
    told = {name: refused.facts[name] for name in ("balance", "required", "deficit")}
    assert told == {"balance": balance, "required": required, "deficit": required - balance}
    ticks = -(-(required - balance) // RATE)
    longest = (ticks * TICK * 1.01) + LATE
    assert refused.retry_after is not None
    return timedelta(0) < refused.retry_after <= longest


async def test_inc_1_a_pace_within_the_limit_is_no_reason_to_spend(world: World) -> None:
    """INC-1: the balance went to -31. Sixty polite callers get 30 of 40 tokens, and no more."""
    since = await stand_at(world, 40)
    asins = world.sandbox.asins(60)

    results = await asyncio.gather(
        *(ask(world, place, products([asin])) for place, asin in enumerate(asins))
    )

    refused = [one for one in results if isinstance(one, Refusal)]
    paid = await audited(world, since)
    assert sum(one for one in results if isinstance(one, int)) == 60 - len(refused)
    assert sum(line["tokensConsumed"] for line in paid) == 60 - len(refused)
    refilled = RATE * (len(refused) < 30)
    assert len(refused) >= 30 - refilled
    assert {one.reason for one in refused} == {"INSUFFICIENT_TOKENS"}
    assert all(one.facts["deficit"] >= 1 for one in refused)


async def test_inc_2_a_best_seller_list_takes_fifty_and_not_one(world: World) -> None:
    """INC-2: the balance went to -74. Of four lists at 126 tokens two are paid for."""
    since = await stand_at(world, 126)

    async def listed(place: int, category: int) -> str:
        request = pb.ListBestSellersRequest(request_id=str(uuid.uuid4()), category_id=category)
        try:
            pages = [page async for page in world.gateways[place % 2].ListBestSellers(request)]
        except grpc.aio.AioRpcError as error:
            return refusal_from(error).reason
        return f"{sum(page.token_count for page in pages)} tokens"

    results = await asyncio.gather(*(listed(*numbered) for numbered in enumerate(CATEGORIES)))

    paid = await audited(world, since)
    assert sorted(results) == ["50 tokens", "50 tokens", *2 * ["INSUFFICIENT_TOKENS"]]
    assert [line["tokensConsumed"] for line in paid] == [50, 50]
    request = pb.ListBestSellersRequest(request_id=str(uuid.uuid4()), category_id=BOOKS_CATEGORY)
    refused = await refusal(world.gateway.ListBestSellers(request))
    assert insufficient(refused, balance=await world.sandbox.balance(), required=50 + FLOOR)


async def test_inc_3_an_unknown_balance_is_no_balance(
    databases: Databases, nats_server: str
) -> None:
    """INC-3: an optimistic 200 and a fallback of 110 made -25. Nothing leaves before Keepa spoke."""
    options = ("--rate", "5", "--balance", "16", "--books", "50", "--key", CANARY)
    async with AsyncExitStack() as stack:
        sandbox = stack.enter_context(sandbox_process(*options))
        await sandbox.fault(fault="status", status=503, seconds=3_600, path="/token")
        database = databases.copy()
        stack.callback(databases.drop, database)
        world = World(sandbox, databases, database, nats_server, stack)
        await world.start_budget()
        await world.start_gateway()
        assert await sandbox.balance() == 5
        asins = sandbox.asins(1)

        unknown = await refusal(world.gateway.GetProducts(products(asins)))
        assert unknown.reason == "BALANCE_UNKNOWN"
        assert unknown.retry_after is not None

        await sandbox.fault(fault="clear")
        await world.gateway.CheckConnection(pb.CheckConnectionRequest())
        refused = await refusal(world.gateway.GetProducts(products(asins)))

        assert insufficient_at_five(refused)
        assert not await sandbox.asked("product")
        assert await sandbox.balance() == 5
        assert not (await books.read(world)).faults()


def insufficient_at_five(refused: Refusal) -> bool:
    """Whether the one true number came through: 5, and 11 are needed."""
    told = {name: refused.facts[name] for name in ("balance", "required", "deficit")}
    return refused.reason == "INSUFFICIENT_TOKENS" and told == {
        "balance": 5, "required": 11, "deficit": 6,
    }  # fmt: skip


async def test_inc_4_after_the_first_429_nothing_leaves_before_the_tick(world: World) -> None:
    """INC-4: 193 became -17 in a second. Somebody else emptied the account; our loop ends at once.

    The wait is that of the tick that pays the debt, and the job's envelope comes back whole.
    """
    await stand_at(world, 193)
    envelope = await enveloped(world, 150)
    await world.sandbox.fault(fault="foreign_spend", tokens=193 + 17)
    since, asked = await position(world), len(await world.sandbox.asked("product"))

    loop = [
        await ask(world, turn, products(world.sandbox.asins(20), spending=envelope))
        for turn in range(3)
    ]
    others = await asyncio.gather(
        *(ask(world, turn, products(world.sandbox.asins(1))) for turn in range(6))
    )

    refusals = [one for one in (*loop, *others) if isinstance(one, Refusal)]
    assert [one.reason for one in refusals] == ["KEEPA_RATE_LIMITED"] * 9
    assert all(one.retry_after and one.retry_after <= TICK + LATE for one in refusals)
    assert len(await world.sandbox.asked("product")) == asked + 1
    assert await released(world, envelope) == 0
    assert await audited(world, since) == []
    account = await world.account()
    assert (account.held_token_count, account.balance_token_count) == (0, -17)


async def test_inc_5_offers_are_priced_at_what_they_can_cost(world: World) -> None:
    """INC-5: 100 products with offers were taken for 100 tokens and cost 386 to 400."""
    since = await stand_at(world, 366)
    asins = world.sandbox.asins(100)
    request = products(asins, options=pb.ProductOptions(offer_count=20))

    estimate = await world.gateway.EstimateCost(pb.EstimateCostRequest(products=request))
    answers = await collected(world.gateway.GetProducts(request))

    assert (estimate.least_token_count, estimate.most_token_count) == (100, 1_600)
    assert 600 <= estimate.expected_token_count <= 700
    kinds = {one.status for one in answers.values()}
    assert kinds == {pb.PRODUCT_STATUS_FOUND, pb.PRODUCT_STATUS_REFUSED}
    reasons = {one.reason for one in answers.values() if one.reason}
    assert reasons == {"INSUFFICIENT_TOKENS"}
    paid = await audited(world, since)
    told = sum(one.token_count for one in answers.values())
    assert told == sum(line["tokensConsumed"] for line in paid) <= 366 - FLOOR + RATE


async def test_inc_6_a_code_of_many_products_costs_what_was_allowed(world: World) -> None:
    """INC-6: one GTIN ate 1,500 tokens. The limit goes out with every code."""
    since = await stand_at(world, 300)
    (book,) = (
        await collected(world.gateway.GetProducts(products(world.sandbox.asins(1))))
    ).values()
    (upc,) = book.product.upcs

    def codes(limit: int) -> pb.GetProductsRequest:
        options = pb.ProductOptions(code_limit=limit)
        return pb.GetProductsRequest(
            request_id=str(uuid.uuid4()), codes=[upc], options=options,
            max_age_duration=Duration(seconds=0),
        )  # fmt: skip

    async def answered(limit: int) -> int:
        stream = world.gateway.GetProducts(codes(limit))
        return sum([len(answer.results) async for answer in stream])

    usual, allowed = await answered(0), await answered(7)

    assert (usual, allowed) == (1, 7)
    paid = await audited(world, since)
    limits = {line["params"].get("code-limit"): line["tokensConsumed"] for line in paid}
    assert limits == {None: 1, "1": 1, "7": 7}


async def test_inc_7_two_workers_have_one_balance(world: World) -> None:
    """INC-7: one knew of 98, one of -44.9, and 4 were there. What one holds the other misses.

    Each wants 60 of 98: one gets them, the other what is left above the floor.
    """
    since = await stand_at(world, 98)

    results = await asyncio.gather(
        *(ask(world, place, products(world.sandbox.asins(60))) for place in range(2))
    )

    paid = await audited(world, since)
    bought = sum(line["tokensConsumed"] for line in paid)
    refilled = sum(line["refilled"] for line in paid)
    assert sum(one for one in results if isinstance(one, int)) == bought
    assert bought in {98 - FLOOR, 98 - FLOOR + refilled}
    assert max(line["tokensConsumed"] for line in paid) == 60


async def test_inc_8_what_can_never_fit_is_refused_at_once(world: World) -> None:
    """INC-8: 450 were needed, the bucket holds 300, and the caller waited for ever."""
    since = await stand_at(world, 290)
    await world.sandbox.fault(fault="plan", rate=5)
    await world.gateway.CheckConnection(pb.CheckConnectionRequest())
    request = pb.ListLightningDealsRequest(
        request_id=str(uuid.uuid4()),
        full_list=True,
        spending=pb.Spending(max_wait_duration=Duration(seconds=30)),
    )

    refused = await refusal(world.gateway.ListLightningDeals(request))

    await world.sandbox.fault(fault="plan", rate=RATE)
    await world.gateway.CheckConnection(pb.CheckConnectionRequest())
    assert refused.reason == "COST_EXCEEDS_CAPACITY"
    assert (refused.facts["required"], refused.facts["capacity"]) == (500 + FLOOR, 300)
    assert refused.retry_after is None
    assert await audited(world, since) == []


async def test_inc_9_who_waits_for_a_place_holds_up_nobody(world: World) -> None:
    """INC-9: a caller slept inside the throttle's lock, and its own job ran out of time."""
    since = await stand_at(world, 200)
    slow = await world.start_gateway(throttle_per_minute=6, throttle_burst=1)
    world.gateways.pop()
    known, first, later, hasty = (world.sandbox.asins(1) for _ in range(4))
    await collected(world.gateway.GetProducts(products(known)))
    await collected(slow.GetProducts(products(first)))
    asked = len(await world.sandbox.asked("product"))

    def patient(asins: list[str], seconds: int) -> pb.GetProductsRequest:
        spending = pb.Spending(max_wait_duration=Duration(seconds=seconds))
        return products(asins, spending=spending)

    waiting = asyncio.create_task(collected(slow.GetProducts(patient(later, 60))))
    refused = await refusal(slow.GetProducts(products(hasty)))
    too_late = await refusal(slow.GetProducts(patient(hasty, 1)))
    cached = await collected(slow.GetProducts(products(known)))

    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert {refused.reason, too_late.reason} <= {"THROTTLED", "WAIT_TIMEOUT"}
    assert all(one.retry_after and one.retry_after.seconds >= 1 for one in (refused, too_late))
    assert {one.status for one in cached.values()} == {pb.PRODUCT_STATUS_CACHED}
    assert len(await world.sandbox.asked("product")) == asked
    assert len(await audited(world, since)) == 2


async def enveloped(world: World, tokens: int) -> pb.Spending:
    """Hold a job's envelope, for calls to draw on."""
    held = await world.ledger.ReserveTokens(
        budget.ReserveTokensRequest(
            request_id=str(uuid.uuid4()),
            token_count=tokens,
            kind=budget.RESERVATION_KIND_ENVELOPE,
        )
    )
    return pb.Spending(envelope=held.reservation.name)


async def released(world: World, spending: pb.Spending) -> int:
    """End an envelope; returns what its calls cost."""
    request = budget.ReleaseReservationRequest(
        request_id=str(uuid.uuid4()),
        name=spending.envelope,
        reason=budget.RELEASE_REASON_FINISHED,
    )
    ended = await world.ledger.ReleaseReservation(request)
    return int(ended.reservation.committed_token_count)


async def position(world: World) -> int:
    """The newest line of Keepa's own log."""
    return int((await world.sandbox.truth())[-1]["seq"])
