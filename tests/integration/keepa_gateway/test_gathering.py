"""Many requests at one moment become few calls, and each of them pays for its own products."""

import asyncio
import uuid
from collections import Counter

import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from services.chassis.rpc.call import Call, working_for
from tests.integration.keepa_gateway.conftest import MakeWorld
from tests.integration.keepa_gateway.world import (
    Sandbox,
    World,
    collected,
    products,
    sandbox_process,
)
from tests.support import until

pytestmark = pytest.mark.anyio

FOUND, REFUSED = pb.PRODUCT_STATUS_FOUND, pb.PRODUCT_STATUS_REFUSED
UNKNOWN = pb.PRODUCT_STATUS_UNKNOWN


async def envelope(world: World, tokens: int) -> str:
    """Hold an envelope and give its name."""
    answer = await world.ledger.ReserveTokens(
        budget.ReserveTokensRequest(
            request_id=str(uuid.uuid4()),
            token_count=tokens,
            kind=budget.RESERVATION_KIND_ENVELOPE,
        )
    )
    return answer.reservation.name


async def charged(world: World, name: str) -> budget.Reservation:
    """What an envelope's calls cost so far."""
    return (await world.ledger.GetReservation(budget.GetReservationRequest(name=name))).reservation


async def released(world: World, name: str) -> None:
    """End an envelope, so that nobody's books hold it."""
    await world.ledger.ReleaseReservation(
        budget.ReleaseReservationRequest(
            request_id=str(uuid.uuid4()), name=name, reason=budget.RELEASE_REASON_FINISHED
        )
    )


async def spent_by_caller(world: World) -> dict[str, int]:
    """What was spent, by who asked for it."""
    request = budget.GetUsageRequest(dimensions=[budget.USAGE_DIMENSION_CALLER])
    rows = (await world.ledger.GetUsage(request)).rows
    return {row.caller: row.token_count for row in rows}


async def test_a_hundred_callers_of_one_product_each_make_few_calls(world: World) -> None:
    """G4: places of the throttle are saved, tokens are charged to whoever asked."""
    asins = world.sandbox.asins(100)
    before = len(await world.sandbox.paid())

    async def ask(caller: str, asin: str) -> dict[str, pb.ProductResult]:
        with working_for(Call(caller=caller)):
            return await collected(world.gateway.GetProducts(products([asin])))

    storm = await asyncio.gather(
        *(ask(f"caller-{place % 4}", asin) for place, asin in enumerate(asins))
    )

    assert [storm[place][asin].token_count for place, asin in enumerate(asins)] == [1] * 100
    paid = (await world.sandbox.paid())[before:]
    assert sum(line["tokensConsumed"] for line in paid) == 100
    assert len(paid) <= 50, "a call for nearly every caller"
    spent = await spent_by_caller(world)
    assert {spent[f"caller-{number}"] for number in range(4)} == {25}
    assert (await world.verified()).consistent
    account = await world.account()
    assert account.held_token_count == account.unsettled_token_count == 0


async def test_each_envelope_pays_for_its_own_products(world: World) -> None:
    """A job is charged for what it asked for, whoever else was in the call."""
    names = [await envelope(world, 20) for _ in range(3)]
    counts = (1, 5, 7)
    wanted = [world.sandbox.asins(count) for count in counts]

    await asyncio.gather(
        *(
            collected(
                world.gateway.GetProducts(products(asins, spending=pb.Spending(envelope=name)))
            )
            for asins, name in zip(wanted, names, strict=True)
        )
    )

    booked = [await charged(world, name) for name in names]
    assert [one.committed_token_count for one in booked] == list(counts)
    for name in names:
        await released(world, name)
    assert (await world.verified()).consistent
    assert (await world.account()).held_token_count == 0


async def test_who_cannot_pay_holds_up_nobody(world: World) -> None:
    """The others' call leaves without him; he is told why he was left behind."""
    empty = await envelope(world, 1)
    spending = pb.Spending(envelope=empty)
    await collected(world.gateway.GetProducts(products(world.sandbox.asins(1), spending=spending)))
    poor, *rich = world.sandbox.asins(6)

    refused, *served = await asyncio.gather(
        collected(world.gateway.GetProducts(products([poor], spending=spending))),
        *(collected(world.gateway.GetProducts(products([asin]))) for asin in rich),
        return_exceptions=True,
    )

    await released(world, empty)
    assert "tokens remaining" in str(refused)
    assert [one[asin].status for one, asin in zip(served, rich, strict=True)] == [FOUND] * 5


async def test_storms_over_two_replicas_pay_for_each_product_once(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """Many callers of the same fifty products spend fifty tokens; the bench asks with 200."""
    world = await make_world(rich_sandbox, gateways=2)
    asins = world.sandbox.asins(50)
    before = len(await world.sandbox.paid())

    storm = await asyncio.gather(
        *(
            collected(world.gateways[number % 2].GetProducts(products(asins)))
            for number in range(40)
        )
    )

    told = Counter(sum(one.token_count for one in answers.values()) for answers in storm)
    assert sum(tokens * callers for tokens, callers in told.items()) == 50
    assert all(len(answers) == 50 for answers in storm)
    paid = (await world.sandbox.paid())[before:]
    assert sum(line["tokensConsumed"] for line in paid) == 50
    assert (await world.account()).held_token_count == 0


async def test_a_lost_shared_answer_is_unknown_to_every_payer_and_settled_for_each(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """Every part of the call holds its own bound until a balance tells, and not a token more."""
    world = await make_world(rich_sandbox, plain_seconds=4.0, hold_margin_seconds=1.0)
    names = [await envelope(world, 20) for _ in range(2)]
    wanted = [world.sandbox.asins(2), world.sandbox.asins(3)]
    await world.sandbox.fault(fault="truncated_gzip", path="/product", requests=2)

    answers = await asyncio.gather(
        *(
            collected(
                world.gateway.GetProducts(products(asins, spending=pb.Spending(envelope=name)))
            )
            for asins, name in zip(wanted, names, strict=True)
        )
    )

    assert {one.status for each in answers for one in each.values()} == {UNKNOWN}
    assert [sum(one.unsettled_token_count for one in each.values()) for each in answers] == [2, 3]

    async def settled() -> bool:
        account = await world.account()
        booked = [await charged(world, name) for name in names]
        settled = [one.committed_token_count for one in booked] == [2, 3]
        return settled and account.unsettled_token_count == 0

    await until(settled)
    assert (await world.verified()).consistent


async def test_callers_who_wait_for_a_place_share_it(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """T10, INC-9: one place is enough for all who wait for one."""
    world = await make_world(rich_sandbox, throttle_per_minute=60, throttle_burst=1)
    first, *asins = world.sandbox.asins(11)
    patient = pb.Spending(max_wait_duration=Duration(seconds=20))
    await collected(world.gateway.GetProducts(products([first])))
    before = len(await world.sandbox.asked("product"))

    answers = await asyncio.gather(
        *(collected(world.gateway.GetProducts(products([one], spending=patient))) for one in asins)
    )

    assert [one[asin].status for one, asin in zip(answers, asins, strict=True)] == [FOUND] * 10
    assert len(await world.sandbox.asked("product")) - before <= 3


async def test_a_batch_shrinks_to_what_the_bucket_can_pay(make_world: MakeWorld) -> None:
    """What fits is answered, the rest says why, and Keepa never sees a balance below zero."""
    with sandbox_process("--rate", "5", "--balance", "90", "--key", "k" * 64) as sandbox:
        world = await make_world(sandbox, keepa_api_key="k" * 64)
        asins = world.sandbox.asins(100)

        answers = await collected(world.gateway.GetProducts(products(asins)))

        left = await sandbox.balance()
        found = [one for one in answers.values() if one.status == FOUND]
        refused = [one for one in answers.values() if one.status == REFUSED]
        assert len(found) + len(refused) == 100
        assert len(found) >= 60
        assert {one.reason for one in refused} == {"INSUFFICIENT_TOKENS"}
        assert all(one.HasField("retry_delay") for one in refused)
        assert 10 <= left <= 20


async def test_an_orderly_stop_lets_gathered_calls_out(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """K20: who had joined a call when the stop came gets its answer, and nothing is unknown."""
    world = await make_world(rich_sandbox)
    asins = world.sandbox.asins(8)
    reading = [
        asyncio.create_task(collected(world.gateway.GetProducts(products([asin]))))
        for asin in asins
    ]

    await asyncio.sleep(0.05)
    for finish in world.services[0].finish:
        await finish()

    answers = await asyncio.gather(*reading)
    assert [one[asin].status for one, asin in zip(answers, asins, strict=True)] == [FOUND] * 8
    account = await world.account()
    assert account.held_token_count == account.unsettled_token_count == 0
