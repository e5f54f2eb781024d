"""Claims about what stops a call before it is paid: 429, throttle, tokens, breaker, key."""

import asyncio
import uuid
from datetime import timedelta

import grpc.aio
import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from tests.integration.keepa_gateway.conftest import MakeWorld
from tests.integration.keepa_gateway.world import (
    Sandbox,
    World,
    collected,
    products,
    sandbox_process,
)
from tests.support import refusal, until

pytestmark = pytest.mark.anyio

FRESH = Duration(seconds=0)
FOUND, REFUSED = pb.PRODUCT_STATUS_FOUND, pb.PRODUCT_STATUS_REFUSED


async def egress(gateway: object) -> pb.EgressStatus:
    return (await gateway.GetEgressStatus(pb.GetEgressStatusRequest())).egress


async def test_the_first_429_stops_everybody(make_world: MakeWorld, rich_sandbox: Sandbox) -> None:
    """INC-4: a loop went on after 429 and dug to -17. Both replicas stop, nothing is retried."""
    world = await make_world(rich_sandbox, gateways=2)
    asins = world.sandbox.asins(30)
    await world.sandbox.fault(fault="rate_limited", path="/product")
    before = len(await world.sandbox.asked("product"))

    first = await refusal(world.gateway.GetProducts(products(asins[:1])))
    others = await asyncio.gather(
        *(
            refusal(gateway.GetProducts(products([asin])))
            for asin in asins[1:11]
            for gateway in world.gateways
        )
    )

    assert {one.reason for one in (first, *others)} == {"KEEPA_RATE_LIMITED"}
    assert all(one.retry_after is not None for one in (first, *others))
    assert len(await world.sandbox.asked("product")) == before + 1
    assert (await egress(world.gateways[1])).HasField("pause_end_time")
    assert (await world.account()).held_token_count == 0


async def test_after_the_pause_calls_pass_again(make_world: MakeWorld) -> None:
    """The wait that was told is enough; the sandbox runs its ticks in a second."""
    with sandbox_process("--rate", "20", "--tick-seconds", "1", "--key", "k" * 64) as sandbox:
        world = await make_world(sandbox, keepa_tick_seconds=1, keepa_api_key="k" * 64)
        asin = world.sandbox.asins(1)
        await sandbox.fault(fault="rate_limited", path="/product")
        told = await refusal(world.gateway.GetProducts(products(asin)))

        await asyncio.sleep(told.retry_after.total_seconds())

        assert asin[0] in await collected(world.gateway.GetProducts(products(asin)))


async def test_too_few_tokens_refuse_with_the_exact_numbers(make_world: MakeWorld) -> None:
    """INC-1 and INC-5: 100 products with offers on a small balance never leave."""
    with sandbox_process("--rate", "5", "--balance", "36", "--key", "k" * 64) as sandbox:
        world = await make_world(sandbox, keepa_api_key="k" * 64)
        asins = world.sandbox.asins(100)
        before = await sandbox.balance()
        options = pb.ProductOptions(offer_count=20)

        refused = await refusal(world.gateway.GetProducts(products(asins, options=options)))

        assert refused.reason == "INSUFFICIENT_TOKENS"
        assert refused.domain == "budget.arbitragevault"
        facts = refused.facts
        assert facts["deficit"] == facts["required"] - facts["balance"] >= 1
        assert refused.retry_after is not None
        assert not await sandbox.asked("product")
        assert await sandbox.balance() >= before


async def test_what_fits_is_answered_and_the_rest_says_why(make_world: MakeWorld) -> None:
    """A partial answer is worth more than none; nothing drives the balance below zero."""
    with sandbox_process("--rate", "5", "--balance", "300", "--key", "k" * 64) as sandbox:
        world = await make_world(sandbox, keepa_api_key="k" * 64)
        asins = world.sandbox.asins(60)
        options = pb.ProductOptions(offer_count=20)

        answers = await collected(world.gateway.GetProducts(products(asins, options=options)))

        kinds = {one.status for one in answers.values()}
        assert kinds == {pb.PRODUCT_STATUS_FOUND, pb.PRODUCT_STATUS_REFUSED}
        reasons = {one.reason for one in answers.values() if one.reason}
        assert reasons == {"INSUFFICIENT_TOKENS"}
        assert len(answers) == 60
        assert await sandbox.balance() > 0


async def test_an_old_product_is_better_than_none_and_says_why_it_is_old(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    world = await make_world(rich_sandbox)
    asin = world.sandbox.asins(1)
    await collected(world.gateway.GetProducts(products(asin)))
    await world.sandbox.fault(fault="rate_limited", path="/product")

    fresh = products(asin, max_age_duration=FRESH)
    answers = await collected(world.gateway.GetProducts(fresh))

    assert answers[asin[0]].status == pb.PRODUCT_STATUS_STALE
    assert answers[asin[0]].reason == "KEEPA_RATE_LIMITED"
    assert answers[asin[0]].product.title


async def test_an_own_limit_is_kept(world: World) -> None:
    asins = world.sandbox.asins(20)
    spending = pb.Spending(max_token_count=10)

    refused = await refusal(world.gateway.GetProducts(products(asins, spending=spending)))

    assert refused.reason == "TOO_EXPENSIVE"
    assert refused.facts == {"required": 20, "max_allowed": 10}


async def test_an_own_limit_is_kept_over_all_calls_of_a_request(world: World) -> None:
    """What it paid before counts, also when it asks again for what is too old by now."""
    asins = world.sandbox.asins(2)
    await collected(world.gateway.GetProducts(products(asins[:1])))
    request = products(asins, spending=pb.Spending(max_token_count=1))
    first = await collected(world.gateway.GetProducts(request))
    asked = len(await world.sandbox.asked("product"))
    request.max_age_duration.CopyFrom(FRESH)

    again = await collected(world.gateway.GetProducts(request))

    assert sum(one.token_count for one in first.values()) == 1
    assert (again[asins[1]].status, again[asins[1]].token_count) == (pb.PRODUCT_STATUS_FOUND, 1)
    assert (again[asins[0]].status, again[asins[0]].reason) == (
        pb.PRODUCT_STATUS_STALE,
        "TOO_EXPENSIVE",
    )
    assert len(await world.sandbox.asked("product")) == asked


async def test_an_envelope_pays_and_ends(world: World) -> None:
    """A job's envelope is the fence: after its release nothing more is spent on it."""
    envelope = await world.ledger.ReserveTokens(
        budget.ReserveTokensRequest(
            request_id=str(uuid.uuid4()),
            token_count=5,
            kind=budget.RESERVATION_KIND_ENVELOPE,
        )
    )
    name = envelope.reservation.name
    spending = pb.Spending(envelope=name)
    asins = world.sandbox.asins(12)

    await collected(world.gateway.GetProducts(products(asins[:3], spending=spending)))
    rest = await collected(world.gateway.GetProducts(products(asins[3:8], spending=spending)))
    exhausted = await refusal(world.gateway.GetProducts(products(asins[8:9], spending=spending)))
    await world.ledger.ReleaseReservation(
        budget.ReleaseReservationRequest(
            request_id=str(uuid.uuid4()), name=name, reason=budget.RELEASE_REASON_FINISHED
        )
    )
    ended = await refusal(world.gateway.GetProducts(products(asins[9:], spending=spending)))

    assert [rest[asin].status for asin in asins[3:8]] == [FOUND] * 2 + [REFUSED] * 3
    assert {rest[asin].reason for asin in asins[5:8]} == {"ENVELOPE_EXHAUSTED"}
    assert exhausted.reason == "ENVELOPE_EXHAUSTED"
    assert ended.reason == "RESERVATION_ENDED"
    paid = await world.ledger.GetReservation(budget.GetReservationRequest(name=name))
    assert paid.reservation.committed_token_count == 5


async def test_two_replicas_share_one_throttle(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """T10: the rate is the account's, however many processes there are."""
    limits = {"throttle_per_minute": 1, "throttle_burst": 6}
    world = await make_world(rich_sandbox, gateways=2, **limits)
    *asins, another = world.sandbox.asins(13)
    before = len(await world.sandbox.asked("product"))
    alone = pb.ProductOptions(rating=True)  # Of no price known before: never gathered.

    results = await asyncio.gather(
        *(
            collected(world.gateways[place % 2].GetProducts(products([asin], options=alone)))
            for place, asin in enumerate(asins)
        ),
        return_exceptions=True,
    )

    answered = [one for one in results if isinstance(one, dict)]
    assert len(await world.sandbox.asked("product")) - before == len(answered) <= 6
    refused = await refusal(world.gateway.GetProducts(products([another])))
    assert refused.reason == "THROTTLED"
    assert 0 < refused.retry_after.total_seconds() <= 60.1
    assert refused.facts["required"] == 1
    assert refused.facts["balance"] > 0


async def test_a_patient_caller_waits_for_its_place(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """INC-9: and holds up nobody while it sleeps."""
    world = await make_world(rich_sandbox, throttle_per_minute=120, throttle_burst=1)
    asins = world.sandbox.asins(2)
    patient = pb.Spending(max_wait_duration=Duration(seconds=5))

    answers = await asyncio.gather(
        *(
            collected(world.gateway.GetProducts(products([asin], spending=patient)))
            for asin in asins
        )
    )

    assert [len(one) for one in answers] == [1, 1]


async def test_a_short_deadline_spends_nothing(world: World) -> None:
    """Fault 11: never spend for a caller who will be gone."""
    before = len(await world.sandbox.truth())
    asins = world.sandbox.asins(1)
    options = pb.ProductOptions(offer_count=20)

    refused = await refusal(
        world.gateway.GetProducts(products(asins, options=options), timeout=4.9)
    )

    assert refused.reason == "DEADLINE_TOO_SHORT"
    assert len(await world.sandbox.truth()) == before


async def test_five_failures_open_the_circuit_and_free_trials_close_it(
    make_world: MakeWorld, rich_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G6: while it is open nothing leaves; the trials are /token."""
    monkeypatch.setattr("services.keepa_gateway.domain.breaker.OPEN_FOR", timedelta(seconds=1))
    soon = timedelta(seconds=0.2)
    monkeypatch.setattr("services.keepa_gateway.usecases.balance.TRIAL_PAUSE", soon)
    monkeypatch.setattr("services.keepa_gateway.usecases.balance.RETRY_SECONDS", 0.2)
    world = await make_world(rich_sandbox)
    asins = world.sandbox.asins(7)
    for path in ("/product", "/token"):  # So that the circuit stays open until that was seen.
        await world.sandbox.fault(fault="status", status=503, seconds=3_600, path=path)

    failures = [await collected(world.gateway.GetProducts(products([one]))) for one in asins[:5]]
    opened = await refusal(world.gateway.GetProducts(products(asins[5:6])))

    await world.sandbox.fault(fault="clear")
    unknown = {one.status for answers in failures for one in answers.values()}
    assert unknown == {pb.PRODUCT_STATUS_UNKNOWN}
    assert opened.reason == "CIRCUIT_OPEN"
    assert opened.retry_after is not None

    async def closed() -> bool:
        return (await egress(world.gateway)).circuit == pb.CIRCUIT_STATE_CLOSED

    await until(closed)
    assert await collected(world.gateway.GetProducts(products(asins[6:])))


async def test_a_rejected_key_latches_until_an_operator_acts(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """Fault 20: zero further calls, and no zero balance in the ledger."""
    world = await make_world(rich_sandbox)
    balance = (await world.account()).balance_token_count
    wrong = await world.start_gateway(keepa_api_key="w" * 64)
    asin = world.sandbox.asins(1)

    first = await refusal(wrong.GetProducts(products(asin)))
    asked = len(await world.sandbox.truth())
    everywhere = await refusal(world.gateway.GetProducts(products(asin)))
    unasked = await refusal(world.gateway.CheckConnection(pb.CheckConnectionRequest()))

    assert first.reason == everywhere.reason == unasked.reason == "KEEPA_KEY_REJECTED"
    assert len(await world.sandbox.truth()) == asked
    assert (await world.account()).balance_token_count >= balance
    assert (await egress(world.gateway)).key_rejected

    retry = pb.CheckConnectionRequest(retry_rejected_key=True)
    still_wrong = await refusal(wrong.CheckConnection(retry))
    assert still_wrong.reason == "KEEPA_KEY_REJECTED"
    await world.gateway.CheckConnection(retry)
    assert await collected(world.gateway.GetProducts(products(asin)))


async def test_a_rejected_selection_says_what_keepa_said(world: World) -> None:
    """keepa#137: REQUEST_REJECTED without saying why helps nobody."""
    selection = pb.ProductSelection(root_category_id=283155)
    selection.ranges.add(field="no_such_field", minimum=1)
    request = pb.FindProductsRequest(request_id=str(uuid.uuid4()), selection=selection)

    refused = await refusal(world.gateway.FindProducts(request))

    assert refused.reason == "KEEPA_REQUEST_REJECTED"
    assert refused.facts["keepa_type"] == "invalidParameter"
    again = await refusal(world.gateway.FindProducts(request))
    assert again.facts == refused.facts
    assert (await world.account()).held_token_count == 0


async def trailers(call: object) -> dict[str, str | bytes]:
    """The trailing metadata of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await collected(call)
    return dict(failed.value.trailing_metadata())


async def test_a_429_is_told_to_every_payer_of_the_call_with_its_numbers_as_headers(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """Through the proxy these become HTTP headers: one form for whatever stood in the way.

    The next place is some seconds away, so all of them are there when it comes.
    """
    world = await make_world(rich_sandbox, throttle_per_minute=15, throttle_burst=1)
    first, *asins = world.sandbox.asins(7)
    await collected(world.gateway.GetProducts(products([first])))
    await world.sandbox.fault(fault="rate_limited", path="/product", tokensLeft=-7)
    before = len(await world.sandbox.asked("product"))

    patient = pb.Spending(max_wait_duration=Duration(seconds=20))
    told = await asyncio.gather(
        *(trailers(world.gateway.GetProducts(products([asin], spending=patient))) for asin in asins)
    )

    assert [one["x-token-balance"] for one in told] == ["-7"] * 6
    assert [one["x-token-required"] for one in told] == ["1"] * 6
    assert all(int(one["retry-after"]) >= 1 for one in told)
    assert len(await world.sandbox.asked("product")) - before == 1
    assert (await world.account()).held_token_count == 0


async def test_a_throttled_call_tells_its_numbers_as_headers(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    world = await make_world(rich_sandbox, throttle_per_minute=1, throttle_burst=1)
    first, second = world.sandbox.asins(2)
    await collected(world.gateway.GetProducts(products([first])))

    told = await trailers(world.gateway.GetProducts(products([second])))

    assert int(told["x-token-balance"]) > 0
    assert told["x-token-required"] == "1"
    assert 1 <= int(told["retry-after"]) <= 61
