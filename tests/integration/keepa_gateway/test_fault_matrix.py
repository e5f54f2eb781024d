"""Rows 12 to 22 of the fault matrix: each fault of Keepa switched on, and what it must lead to."""

import asyncio
import resource
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from services.chassis import sql
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

# Long enough that a stalled machine does not lose an answer which a test waits for, and that
# nothing is settled while a test looks at what is held.
SHORT = {"plain_seconds": 6.0, "hold_margin_seconds": 3.0}
BOMB_MEGABYTES = 112
MOST_GROWTH_KB = 200 << 10

LOST: list[dict[str, object]] = [
    {"fault": "close", "at": "headers"},
    {"fault": "close", "at": "middle"},
    {"fault": "close", "charged": False},
    {"fault": "empty"},
    {"fault": "drip", "milliseconds": 20},
    {"fault": "drip", "milliseconds": 5, "at": "headers"},
    {"fault": "hang"},
    {"fault": "truncated_gzip"},
    {"fault": "truncated_gzip", "trailer": True},
    {"fault": "gzip_bomb", "megabytes": BOMB_MEGABYTES},
    {"fault": "wrong_encoding"},
    {"fault": "wrong_length"},
    {"fault": "garbage", "form": "half"},
    {"fault": "garbage", "form": "nan"},
    {"fault": "garbage", "form": "duplicate_keys"},
    {"fault": "garbage", "form": "deep"},
    {"fault": "garbage", "form": "page"},
    {"fault": "garbage", "form": "charset"},
    {"fault": "status", "status": 502},
    {"fault": "status", "status": 504, "charged": True},
    {"fault": "redirect"},
]
NO_BALANCE = {"without": ["tokensLeft", "refillIn", "refillRate"]}
LIES: list[dict[str, object]] = [
    {"fields": {"tokensLeft": "60000"}},
    {"fields": {"tokensLeft": 59_999.5}},
    {"fields": {"tokensLeft": -(10**9)}},
    {"fields": {"tokensLeft": 10**8}},
    {"fields": {"refillIn": 10**9}},
    {"fields": {"timestamp": 4_102_444_800_000}},
    {"without": ["tokensLeft"]},
    {"without": ["refillRate", "refillIn"]},
]


@pytest.fixture(scope="module")
def patient_breaker() -> Iterator[None]:
    """Twenty lost answers in a row are more than the breaker takes; it has a test of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.keepa_gateway.domain.breaker.FAILURES_TO_OPEN", 10**6)
        yield


@pytest.fixture(scope="module")
async def world(
    databases: Databases, nats_server: str, patient_breaker: None
) -> AsyncIterator[World]:
    """Two replicas, and a bucket that is half full: refills show, and so does every loss."""
    options = ("--rate", "2000", "--balance", "60000", "--books", "400", "--key", CANARY)
    async with AsyncExitStack() as stack:
        sandbox = stack.enter_context(sandbox_process(*options))
        yield await builder(databases, nats_server, stack)(sandbox, gateways=2, **SHORT)


@pytest.fixture(autouse=True)
async def calmed(world: World) -> AsyncIterator[None]:
    """No fault outlives its test."""
    yield
    await world.sandbox.fault(fault="clear")


async def verdicts(world: World, *requests: pb.GetProductsRequest) -> list[str | None]:
    """What the gateway noted about the calls of some requests: one for each."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    try:
        query = "select verdict from keepa_gateway.attempts where request_id = any($1)"
        rows = await connection.fetch(query, [uuid.UUID(one.request_id) for one in requests])
    finally:
        await connection.close()
    return [row["verdict"] for row in rows]


async def resume(world: World) -> None:
    """End the pause after a 429 early; nothing else changes."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    try:
        await connection.execute("update keepa_gateway.egress set paused_until = null")
    finally:
        await connection.close()


async def open_tokens(world: World) -> int:
    """What is set aside, whether its hold has run out by now or not."""
    account = await world.account()
    return account.held_token_count + account.unsettled_token_count


async def test_a_lost_answer_is_unknown_held_and_settled_by_the_truth(world: World) -> None:
    """Rows 13 and 15 to 18, 22: never guessed, never asked again, and booked at what it cost.

    All at once, over both replicas; other options for each, so that no two of them share a call.
    """
    asked = len(await world.sandbox.asked("product"))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with listening() as (elsewhere, visitors):
        for fault in LOST:
            where = {"location": elsewhere} if fault["fault"] == "redirect" else {}
            await world.sandbox.fault(**fault, **where, path="/product")
        requests = [
            products(world.sandbox.asins(2), options=pb.ProductOptions(stats_days=30 + place))
            for place in range(len(LOST))
        ]
        lost = await asyncio.gather(*(ask(world, *numbered) for numbered in enumerate(requests)))
        again = await asyncio.gather(
            *(
                ask(world, place + 1, products(list(request.asins), options=request.options))
                for place, request in enumerate(requests)
            )
        )
        held = await open_tokens(world)

    for answers in (*lost, *again):
        assert {one.status for one in answers.values()} == {pb.PRODUCT_STATUS_UNKNOWN}
    for first, second in zip(lost, again, strict=True):
        assert sum(one.unsettled_token_count for one in first.values()) == 2
        assert not any(one.unsettled_token_count for one in second.values()), "it holds nothing"
    assert await verdicts(world, *requests) == ["unknown"] * len(LOST)
    assert held == 2 * len(LOST)
    assert len(await world.sandbox.asked("product")) == asked + len(LOST)
    assert not visitors, "a redirect was followed, and the key with it"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown < MOST_GROWTH_KB
    told = await books.balanced(world)
    charged = {line["params"]["asin"]: line["tokensConsumed"] for line in told.lines
               if line["path"] == "/product" and line["fault"]}  # fmt: skip
    unpaid = sum(not charged[",".join(request.asins)] for request in requests)
    assert unpaid == sum(order_is_unpaid(fault) for fault in LOST)


async def ask(
    world: World, place: int, request: pb.GetProductsRequest
) -> dict[str, pb.ProductResult]:
    """Ask one of the replicas."""
    return await collected(world.gateways[place % 2].GetProducts(request))


def order_is_unpaid(fault: dict[str, object]) -> bool:
    """Whether Keepa never worked on the struck request; only the truth log can tell."""
    unpaid = fault["fault"] in {"redirect", "status"}
    return not fault.get("charged", not unpaid)


async def test_a_failure_that_states_its_cost_is_booked_at_once(world: World) -> None:
    """Row 13: a 500 with an envelope is no mystery, charged or not."""
    for charged, cost in ((True, 2), (False, 0)):
        spent = (await world.account()).spent_token_count
        order = {"fault": "error", "status": 500, "charged": charged}
        await world.sandbox.fault(**order, path="/product")
        request = products(world.sandbox.asins(2))

        refused = await refusal(world.gateway.GetProducts(request))

        assert refused.reason == "KEEPA_UNAVAILABLE"
        assert await verdicts(world, request) == ["failed"]
        assert (await world.account()).spent_token_count == spent + cost
    await books.balanced(world)


async def test_what_keepa_rejects_with_status_200_is_no_answer(world: World) -> None:
    """Row 18: 200 with `error` is refused with what Keepa said, and costs what it states."""
    for charged, cost in ((True, 1), (False, 0)):
        spent = (await world.account()).spent_token_count
        await world.sandbox.fault(fault="error", charged=charged, path="/product")

        refused = await refusal(world.gateway.GetProducts(products(world.sandbox.asins(1))))

        assert refused.reason == "KEEPA_REQUEST_REJECTED"
        assert refused.facts["keepa_type"] == "internalError"
        assert (await world.account()).spent_token_count == spent + cost
    await books.balanced(world)


async def test_what_never_left_is_released_and_may_be_tried_again(world: World) -> None:
    """Row 14: nothing listens for a moment, then the retry passes; for longer, nothing is spent."""
    short, long = world.sandbox.asins(1), world.sandbox.asins(1)
    before = len(await world.sandbox.asked("product"))

    await world.sandbox.fault(fault="unreachable", seconds=3)
    refused = await refusal(world.gateway.GetProducts(products(long)))
    assert refused.reason == "KEEPA_UNAVAILABLE"
    assert refused.retry_after is not None
    assert await open_tokens(world) == 0

    async def answered() -> bool:
        answers = world.gateways[1].GetProducts(products(short))
        try:
            return {one.status for one in (await collected(answers)).values()} == {
                pb.PRODUCT_STATUS_FOUND
            }
        except OSError:
            return False

    await reachable(world)
    await until(answered)
    assert len(await world.sandbox.asked("product")) == before + 1
    await books.balanced(world)


async def reachable(world: World) -> None:
    """Wait until the stand-in's port is open again."""

    async def opened() -> bool:
        host, port = world.sandbox.url.removeprefix("http://").split(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True

    await until(opened)


async def test_a_storm_of_429_is_met_with_one_request(world: World) -> None:
    """Row 12: nobody calls before the tick; every hold is given back; the wait has a bound."""
    storm = {"fault": "rate_limited", "requests": 50, "path": "/product"}
    for said in ({"fields": {"refillIn": 10**9}}, NO_BALANCE):
        await world.sandbox.fault(**storm, **said)
        asins = world.sandbox.asins(12)
        before = len(await world.sandbox.asked("product"))

        first = await refusal(world.gateway.GetProducts(products(asins[:1])))
        others = await asyncio.gather(
            *(
                refusal(world.gateways[place % 2].GetProducts(products([asin])))
                for place, asin in enumerate(asins[1:])
            )
        )

        assert {one.reason for one in (first, *others)} == {"KEEPA_RATE_LIMITED"}
        waits = [one.retry_after for one in (first, *others)]
        assert all(wait and timedelta(0) < wait < timedelta(seconds=62) for wait in waits)
        assert len(await world.sandbox.asked("product")) == before + 1
        assert await open_tokens(world) == 0
        await world.sandbox.fault(fault="clear")
        await resume(world)


async def test_an_implausible_balance_is_not_believed(
    world: World, subtests: pytest.Subtests
) -> None:
    """Row 19: the answer is good, its cost is booked, its balance is left alone."""
    for lie in LIES:
        with subtests.test(**lie):
            before = await world.account()
            await world.sandbox.fault(fault="lying_balance", path="/product", **lie)

            answers = await collected(world.gateway.GetProducts(products(world.sandbox.asins(1))))

            assert {one.status for one in answers.values()} == {pb.PRODUCT_STATUS_FOUND}
            after = await world.account()
            assert after.spent_token_count == before.spent_token_count + 1
            assert abs(after.balance_token_count - before.balance_token_count) <= 2_001
    await books.balanced(world)


async def test_the_newest_balance_wins_whatever_arrives_last(world: World) -> None:
    """Row 19: a balance that was overtaken is older by Keepa's own time, and says nothing new."""
    late = {"fault": "late", "milliseconds": 400, "path": "/product"}
    await world.sandbox.fault(**late)
    before = len(await world.sandbox.asked("product"))
    overtaken = asyncio.create_task(
        collected(world.gateways[0].GetProducts(products(world.sandbox.asins(3))))
    )

    async def asked() -> bool:
        return len(await world.sandbox.asked("product")) > before

    await until(asked)
    await collected(world.gateways[1].GetProducts(products(world.sandbox.asins(5))))
    await overtaken

    await books.balanced(world)


@pytest.mark.parametrize("status", [400, 402])
async def test_a_rejected_key_stops_everybody_and_is_no_balance(world: World, status: int) -> None:
    """Row 20: latched at the first, no further call, and zeros that are no empty bucket."""
    balance = (await world.account()).balance_token_count
    await world.sandbox.fault(fault="rejected_key", status=status, path="/product")
    asins = world.sandbox.asins(2)

    first = await refusal(world.gateways[0].GetProducts(products(asins[:1])))
    asked = len(await world.sandbox.truth())
    second = await refusal(world.gateways[1].GetProducts(products(asins[1:])))

    assert first.reason == second.reason == "KEEPA_KEY_REJECTED"
    assert len(await world.sandbox.truth()) == asked
    account = await world.account()
    assert account.balance_token_count >= balance
    assert account.held_token_count == 0
    await world.gateway.CheckConnection(pb.CheckConnectionRequest(retry_rejected_key=True))
    await books.balanced(world)


async def test_what_others_spend_is_seen_and_said(world: World) -> None:
    """Row 21: the budget shrinks by it, and the ledger says that it was none of ours."""
    await books.balanced(world)
    spent = (await world.account()).spent_token_count
    already = (await books.read(world)).flows.get("FOREIGN", 0)

    await world.sandbox.fault(fault="foreign_spend", tokens=777)
    told = await books.balanced(world)

    assert told.flows["FOREIGN"] == already + 777
    assert told.spent == spent


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, list[str]]]:
    """Somewhere else: notes who comes."""
    visitors: list[str] = []

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visitors.append("somebody")
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", visitors
    finally:
        server.close()


async def test_an_unpriced_answer_waits_for_a_balance(world: World) -> None:
    """Row 19: products without `tokensConsumed` are delivered; what they cost is settled later."""
    await world.sandbox.fault(
        fault="lying_balance", without=["tokensConsumed", "tokensLeft"], path="/product"
    )

    answers = await collected(world.gateway.GetProducts(products(world.sandbox.asins(3))))

    assert {one.status for one in answers.values()} == {pb.PRODUCT_STATUS_FOUND}
    settled = await books.balanced(world)
    assert settled.spent == settled.charged
    assert await world.holds(budget.RESERVATION_STATE_SETTLED)


async def test_two_replicas_together_stay_inside_the_throttle(world: World) -> None:
    """Row 9, S9: by Keepa's own log and clock, no request came before one rate for both allows it."""
    per_second, burst = 4, 3
    limits = {"throttle_per_minute": 60 * per_second, "throttle_burst": burst}
    pair = [await world.start_gateway(**limits) for _ in range(2)]
    del world.gateways[2:]
    before = len(await world.sandbox.asked("product"))
    began = (await world.sandbox._get("clock")).json()["now"]
    spending = pb.Spending(max_wait_duration=Duration(seconds=30))

    await asyncio.gather(
        *(
            collected(
                pair[place % 2].GetProducts(
                    products(
                        world.sandbox.asins(1),
                        spending=spending,
                        options=pb.ProductOptions(stats_days=200 + place),
                    )
                )
            )
            for place in range(11)
        )
    )

    asked = (await world.sandbox.asked("product"))[before:]
    arrived = sorted(line["arrived_ms"] - began for line in asked)
    assert len(arrived) == 11
    for number, after_ms in enumerate(arrived, 1):
        assert after_ms >= 1_000 * (number - burst) / per_second
    await books.balanced(world)
