"""Claims about answers that never came: held at their bound, never asked again, settled later."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import grpc.aio
import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2_grpc as rpc
from google.protobuf.duration_pb2 import Duration

from deploy.local.ports import free_port
from services.chassis import sql
from tests.integration.keepa_gateway.conftest import MakeWorld
from tests.integration.keepa_gateway.world import (
    CANARY,
    ROOT,
    Sandbox,
    World,
    collected,
    products,
)
from tests.support import refusal, until

pytestmark = pytest.mark.anyio

# Long enough that a stalled machine does not lose an answer which a test waits for.
SHORT = {"plain_seconds": 4.0, "list_seconds": 4.0, "hold_margin_seconds": 1.0}
# The same, and nothing is settled while a test looks at what is held.
UNSETTLED = {**SHORT, "hold_margin_seconds": 30.0}


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "truncated_gzip"},
        {"fault": "close", "at": "middle"},
        {"fault": "garbage"},
        {"fault": "hang"},
    ],
)
async def test_a_lost_answer_is_unknown_and_not_asked_again(
    make_world: MakeWorld, rich_sandbox: Sandbox, fault: dict[str, object]
) -> None:
    """G5: a retry would pay twice, and a release would spend what may be gone."""
    world = await make_world(rich_sandbox, **(UNSETTLED if fault == {"fault": "hang"} else {}))
    asins = world.sandbox.asins(3)
    await world.sandbox.fault(**fault, path="/product")
    before = len(await world.sandbox.asked("product"))

    request = products(asins)
    lost = await collected(world.gateway.GetProducts(request))
    again = await collected(world.gateway.GetProducts(request))
    others = await collected(world.gateway.GetProducts(products(asins)))

    for answers in (lost, again, others):
        assert {one.status for one in answers.values()} == {pb.PRODUCT_STATUS_UNKNOWN}
        unsettled = sum(one.unsettled_token_count for one in answers.values())
        assert unsettled == (0 if answers is others else 3), "only who asked holds tokens for it"
    assert len(await world.sandbox.asked("product")) == before + 1
    assert (await world.account()).balance_token_count > 0
    assert sum(one.token_count for one in await held(world)) == 3


async def held(world: World) -> list[budget.Reservation]:
    """What is still set aside, whether its hold has run out by now or not."""
    states = (budget.RESERVATION_STATE_HELD, budget.RESERVATION_STATE_UNKNOWN)
    return [one for state in states for one in await world.holds(state)]


async def test_a_lost_answer_is_settled_by_a_later_balance(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """The true cost is booked, the ledger agrees with Keepa, and the products may be asked for."""
    world = await make_world(rich_sandbox, **SHORT)
    asins = world.sandbox.asins(4)
    await world.sandbox.fault(fault="truncated_gzip", path="/product")
    await collected(world.gateway.GetProducts(products(asins)))

    async def settled() -> bool:
        return bool(await world.holds(budget.RESERVATION_STATE_SETTLED))

    await until(settled)

    (one,) = await world.holds(budget.RESERVATION_STATE_SETTLED)
    assert one.committed_token_count == 4
    assert (await world.verified()).consistent

    async def claims_are_free() -> bool:
        answers = await collected(world.gateway.GetProducts(products(asins)))
        return {one.status for one in answers.values()} == {pb.PRODUCT_STATUS_FOUND}

    await until(claims_are_free)


async def test_a_lost_list_is_refused_as_unknown(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    world = await make_world(rich_sandbox, **SHORT)
    await world.sandbox.fault(fault="close", at="headers", path="/query")
    request = pb.FindProductsRequest(
        request_id=str(uuid.uuid4()),
        selection=pb.ProductSelection(root_category_id=283155),
        page=3,
    )

    lost = await refusal(world.gateway.FindProducts(request))
    again = await refusal(world.gateway.FindProducts(request))

    assert lost.reason == again.reason == "OUTCOME_UNKNOWN"
    assert lost.facts["unsettled"] == 11


async def test_what_never_left_costs_nothing(make_world: MakeWorld, rich_sandbox: Sandbox) -> None:
    """Fault 14: a closed port proves it; the tokens are back at once."""
    world = await make_world(rich_sandbox)
    nowhere = await world.start_gateway(keepa_base_url="http://127.0.0.1:9")
    asins = world.sandbox.asins(2)

    refused = await refusal(nowhere.GetProducts(products(asins)))

    assert refused.reason == "KEEPA_UNAVAILABLE"
    assert refused.retry_after is not None
    assert (await world.account()).held_token_count == 0
    assert await collected(world.gateway.GetProducts(products(asins)))


async def test_a_caller_who_goes_away_has_still_paid(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """Fault 10: the section ends without him, and the next caller finds the answer."""
    world = await make_world(rich_sandbox)
    asins = world.sandbox.asins(3)
    await world.sandbox.fault(fault="delay", milliseconds=1500, path="/product")
    before = len(await world.sandbox.paid())

    call = world.gateway.GetProducts(products(asins))
    reading = asyncio.create_task(collected(call))
    await until(lambda: on_its_way(world))
    call.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    for finish in world.services[0].finish:
        await finish()

    answers = await collected(world.gateway.GetProducts(products(asins)))
    assert {one.status for one in answers.values()} == {pb.PRODUCT_STATUS_CACHED}
    assert len(await world.sandbox.paid()) == before + 1
    assert (await world.account()).held_token_count == 0


async def test_a_hold_without_an_intent_is_released_with_proof(
    make_world: MakeWorld, rich_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K4: reserved, then killed. Nothing was sent, and the fence keeps it so."""
    monkeypatch.setattr(
        "services.keepa_gateway.usecases.reconciler.UNSENT_AFTER", timedelta(seconds=1)
    )
    world = await make_world(rich_sandbox)
    request = budget.ReserveTokensRequest(
        request_id=str(uuid.uuid4()),
        token_count=7,
        endpoint="product",
        hold_duration=Duration(seconds=3),
    )
    await world.ledger.ReserveTokens(request)

    async def released() -> bool:
        return bool(await world.holds(budget.RESERVATION_STATE_RELEASED))

    await until(released)
    assert (await world.account()).unsettled_token_count == 0


async def test_a_settlement_that_budget_missed_is_repeated(
    make_world: MakeWorld, rich_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K9: the outcome is stored, the commit was lost; the reconciler books the real cost."""
    monkeypatch.setattr("services.keepa_gateway.clients.budget.SETTLE_SECONDS", 1.0)
    world = await make_world(rich_sandbox)
    asins = world.sandbox.asins(3)
    await world.sandbox.fault(fault="delay", milliseconds=4000, path="/product")

    reading = asyncio.create_task(collected(world.gateway.GetProducts(products(asins))))
    await until(lambda: on_its_way(world))
    async with locked(world, "budget.ledger"):
        answers = await reading
        assert {one.status for one in answers.values()} == {pb.PRODUCT_STATUS_FOUND}
        assert not await committed_tokens(world)

    async def committed() -> bool:
        return 3 in await committed_tokens(world)

    await until(committed)
    assert (await world.verified()).consistent


@asynccontextmanager
async def locked(world: World, table: str) -> AsyncIterator[None]:
    """Keep everybody out of a table for a while."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    try:
        async with connection.transaction():
            await connection.execute(f"lock table {table} in exclusive mode")
            yield
    finally:
        await connection.close()


async def on_its_way(world: World) -> bool:
    """Whether an intent is stored; on a busy machine its outcome may be there by now as well."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    try:
        query = "select count(*) from keepa_gateway.attempts where state <> 'fenced'"
        return bool(await connection.fetchval(query))
    finally:
        await connection.close()


async def committed_tokens(world: World) -> set[int]:
    """The costs that are booked, by the database itself."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    try:
        rows = await connection.fetch("select consumed, settled_at from keepa_gateway.attempts")
    finally:
        await connection.close()
    return {row["consumed"] for row in rows if row["settled_at"] is not None}


async def test_a_killed_gateway_leaves_an_unknown_call_that_is_never_resent(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """K5 to K8: sent or not, nobody can tell; the bound stays held until a balance tells."""
    world = await make_world(rich_sandbox, **SHORT)
    asins = world.sandbox.asins(2)
    victim, stub = await process(world)
    await world.sandbox.fault(fault="delay", milliseconds=3000, path="/product")
    before = len(await world.sandbox.asked("product"))

    request = products(asins)
    reading = asyncio.create_task(collected(stub.GetProducts(request)))
    await until(lambda: on_its_way(world))
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    await asyncio.gather(reading, return_exceptions=True)

    again = await collected(world.gateway.GetProducts(request))
    assert {one.status for one in again.values()} == {pb.PRODUCT_STATUS_UNKNOWN}

    async def settled() -> bool:
        return not await held(world)

    await until(settled)
    assert len(await world.sandbox.asked("product")) - before <= 1


async def test_an_orderly_stop_finishes_what_is_paid(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """K20: nothing is unknown after a stop, and the answer is there for the next."""
    world = await make_world(rich_sandbox)
    asins = world.sandbox.asins(2)
    leaving, stub = await process(world, plain_seconds=20)
    await world.sandbox.fault(fault="delay", milliseconds=1500, path="/product")

    reading = asyncio.create_task(collected(stub.GetProducts(products(asins))))
    await until(lambda: on_its_way(world))
    leaving.send_signal(signal.SIGTERM)
    status = await asyncio.to_thread(leaving.wait, 20)
    await asyncio.gather(reading, return_exceptions=True)

    answers = await collected(world.gateway.GetProducts(products(asins)))
    assert status == 0
    assert {one.status for one in answers.values()} == {pb.PRODUCT_STATUS_CACHED}
    account = await world.account()
    assert account.held_token_count == account.unsettled_token_count == 0


async def process(
    world: World, *, plain_seconds: int = 3
) -> tuple["subprocess.Popen[bytes]", object]:
    """Start a gateway as a process of its own, and wait until it answers."""
    port = free_port()
    environment = {
        **os.environ,
        "KEEPA_GATEWAY_PORT": str(port),
        "KEEPA_GATEWAY_DATABASE_URL": world.role("keepa_gateway"),
        "NATS_URL": world.nats_url,
        "KEEPA_BASE_URL": world.sandbox.url,
        "KEEPA_API_KEY": CANARY,
        "BUDGET_TARGET": world.ledger_served.address,
        "KEEPA_GATEWAY_PLAIN_SECONDS": str(plain_seconds),
        "KEEPA_GATEWAY_HOLD_MARGIN_SECONDS": "1",
    }
    victim = subprocess.Popen(  # noqa: ASYNC220 - it starts in a moment
        [sys.executable, "-m", "services.keepa_gateway"], cwd=ROOT, env=environment
    )
    world.stack.callback(victim.wait)
    world.stack.callback(victim.kill)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    await world.stack.enter_async_context(channel)
    await asyncio.wait_for(channel.channel_ready(), 40)
    return victim, rpc.KeepaGatewayServiceStub(channel)
