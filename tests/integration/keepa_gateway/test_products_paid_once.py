"""Claims about paying once: the store, joined requests, repeated ids, two replicas."""

import asyncio
import json
import uuid
from collections import Counter

import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from tests.integration.keepa_gateway.conftest import MakeWorld
from tests.integration.keepa_gateway.world import Sandbox, World, collected, products
from tests.support import refusal

pytestmark = pytest.mark.anyio

BOOKS_ROOT = 283155
# A call takes some 20 ms: repetitions arrive in each of its steps.
ROUNDS, STEPS, STEP_SECONDS = 6, 30, 0.004


async def test_products_come_with_prices_and_cost_what_the_ledger_says(world: World) -> None:
    """The whole way once: reserved before, settled after, the same as Keepa's own books."""
    asins = world.sandbox.asins(3)
    before = len(await world.sandbox.paid())

    answers = await collected(world.gateway.GetProducts(products(asins)))

    assert {answers[asin].status for asin in asins} == {pb.PRODUCT_STATUS_FOUND}
    assert sum(one.token_count for one in answers.values()) == 3
    assert all(one.product.statistics.series for one in answers.values())
    assert all(one.product.title for one in answers.values())
    paid = (await world.sandbox.paid())[before:]
    assert [line["tokensConsumed"] for line in paid] == [3]
    account = await world.account()
    assert (await world.verified()).consistent
    assert account.held_token_count == account.unsettled_token_count == 0


async def test_a_stored_answer_costs_nothing_and_says_its_age(world: World) -> None:
    """G3: all in one message."""
    asins = world.sandbox.asins(2)
    await collected(world.gateway.GetProducts(products(asins)))
    before = len(await world.sandbox.truth())

    (message,) = [one async for one in world.gateway.GetProducts(products(asins))]

    answers = {one.requested: one for one in message.results}
    assert list(answers) == asins
    assert {one.status for one in message.results} == {pb.PRODUCT_STATUS_CACHED}
    assert sum(one.token_count for one in answers.values()) == 0
    assert all(one.age_duration.ToTimedelta().total_seconds() < 10 for one in answers.values())
    assert len(await world.sandbox.truth()) == before


async def test_a_refresh_is_asked_for_by_age(world: World) -> None:
    asins = world.sandbox.asins(1)
    await collected(world.gateway.GetProducts(products(asins)))

    fresh = products(asins, max_age_duration=Duration(seconds=0))
    answers = await collected(world.gateway.GetProducts(fresh))

    assert answers[asins[0]].status == pb.PRODUCT_STATUS_FOUND
    assert answers[asins[0]].token_count == 1


async def test_a_storm_for_the_same_products_pays_once(world: World) -> None:
    """G4: fifty callers, one of them pays."""
    asins = world.sandbox.asins(5)
    before = len(await world.sandbox.paid())

    storm = await asyncio.gather(
        *(collected(world.gateway.GetProducts(products(asins))) for _ in range(50))
    )

    assert all(set(answers) == set(asins) for answers in storm)
    spent = [sum(one.token_count for one in answers.values()) for answers in storm]
    assert Counter(spent) == {5: 1, 0: 49}
    assert len(await world.sandbox.paid()) == before + 1


async def test_one_request_sent_many_times_at_once_tells_its_cost_each_time(world: World) -> None:
    """INV-2: a repetition is the same request, so it gets the same answer, cost included."""
    asins = world.sandbox.asins(3)
    before = len(await world.sandbox.paid())
    request = products(asins)

    storm = await asyncio.gather(
        *(collected(world.gateway.GetProducts(request)) for _ in range(20))
    )

    spent = [sum(one.token_count for one in answers.values()) for answers in storm]
    assert Counter(spent) == {3: 20}
    assert len(await world.sandbox.paid()) == before + 1


async def test_a_repetition_tells_its_cost_whenever_it_comes(world: World) -> None:
    """INV-2: some come while the first is out, some between two looks, some after it."""
    before = len(await world.sandbox.paid())

    async def asked(request: pb.GetProductsRequest, step: int) -> int:
        await asyncio.sleep(step * STEP_SECONDS)
        answers = await collected(world.gateway.GetProducts(request))
        return sum(one.token_count for one in answers.values())

    for _ in range(ROUNDS):
        request = products(world.sandbox.asins(3))
        spent = await asyncio.gather(*(asked(request, step) for step in range(STEPS)))
        assert Counter(spent) == {3: STEPS}
    assert len(await world.sandbox.paid()) == before + ROUNDS


async def test_overlapping_requests_pay_for_each_product_once(world: World) -> None:
    """Each product is paid by one of those who asked for it."""
    asins = world.sandbox.asins(20)
    spent_before = sum(line["tokensConsumed"] for line in await world.sandbox.paid())

    overlapping = [asins[start : start + 8] for start in range(0, 13, 2)]
    answers = await asyncio.gather(
        *(collected(world.gateway.GetProducts(products(some))) for some in overlapping)
    )

    told = sum(one.token_count for each in answers for one in each.values())
    spent = sum(line["tokensConsumed"] for line in await world.sandbox.paid()) - spent_before
    assert told == spent == 20


async def test_two_replicas_ask_once(make_world: MakeWorld, rich_sandbox: Sandbox) -> None:
    """INC-7 in another shape: what one process has out, the other waits for."""
    world = await make_world(rich_sandbox, gateways=2)
    asins = world.sandbox.asins(4)
    before = len(await world.sandbox.paid())
    await world.sandbox.fault(fault="delay", milliseconds=300, path="/product")

    storm = await asyncio.gather(
        *(
            collected(gateway.GetProducts(products(asins)))
            for gateway in world.gateways
            for _ in range(5)
        )
    )

    assert all(set(answers) == set(asins) for answers in storm)
    assert sum(one.token_count for answers in storm for one in answers.values()) == 4
    assert len(await world.sandbox.paid()) == before + 1
    assert (await world.account()).held_token_count == 0


async def test_no_moment_between_two_replicas_pays_twice(
    make_world: MakeWorld, rich_sandbox: Sandbox
) -> None:
    """The other's answer may arrive between our look into the store and our claim."""
    world = await make_world(rich_sandbox, gateways=2)
    asins = world.sandbox.asins(40)
    spent_before = sum(line["tokensConsumed"] for line in await world.sandbox.paid())

    wanted: set[str] = set()

    async def ask(place: int) -> None:
        await asyncio.sleep(place % 7 * 0.011)
        gateway = world.gateways[place % 2]
        start = place * 3 % 36
        wanted.update(some := asins[start : start + 4])
        await collected(gateway.GetProducts(products(some)))

    await asyncio.gather(*(ask(place) for place in range(60)))

    spent = sum(line["tokensConsumed"] for line in await world.sandbox.paid()) - spent_before
    assert spent == len(wanted)
    assert (await world.account()).held_token_count == 0


async def test_a_repeated_request_gets_its_answer_again(world: World) -> None:
    """A caller that crashed and asks again does not pay again, even for a forced refresh."""
    request = products(world.sandbox.asins(3), max_age_duration=Duration(seconds=0))
    first = await collected(world.gateway.GetProducts(request))
    before = len(await world.sandbox.truth())

    again = await collected(world.gateway.GetProducts(request))

    assert [(one.status, one.token_count) for one in again.values()] == [
        (one.status, one.token_count) for one in first.values()
    ]
    assert len(await world.sandbox.truth()) == before


async def test_an_id_with_other_content_is_refused(world: World) -> None:
    first, second = world.sandbox.asins(2)
    request = products([first], max_age_duration=Duration(seconds=0))
    await collected(world.gateway.GetProducts(request))

    other = products([second], request_id=request.request_id)
    refused = await refusal(world.gateway.GetProducts(other))

    assert refused.reason == "REQUEST_ID_REUSED"


async def test_an_unknown_product_is_paid_for_once(world: World) -> None:
    """Keepa charges for an ASIN that does not exist; asking again must not."""
    unknown = "B000000000"

    first = await collected(world.gateway.GetProducts(products([unknown])))
    again = await collected(world.gateway.GetProducts(products([unknown])))

    assert first[unknown].status == again[unknown].status == pb.PRODUCT_STATUS_NOT_FOUND
    assert (first[unknown].token_count, again[unknown].token_count) == (1, 0)


async def test_the_raw_product_is_given_on_request(world: World) -> None:
    asin = world.sandbox.asins(1)[0]
    options = pb.ProductOptions(history=True, stats_days=90)

    answers = await collected(
        world.gateway.GetProducts(products([asin], options=options, include_raw_json=True))
    )

    raw = json.loads(answers[asin].raw_json)
    assert raw["asin"] == asin
    assert len(answers[asin].product.series) == sum(1 for values in raw["csv"] if values)
    asked = products([asin], options=options)
    bare = (await collected(world.gateway.GetProducts(asked)))[asin]
    asked = products([asin], options=options, include_raw_json=True)
    whole = (await collected(world.gateway.GetProducts(asked)))[asin]
    assert bare.status == whole.status == pb.PRODUCT_STATUS_CACHED
    assert bare.product == whole.product == answers[asin].product
    assert (bare.raw_json, whole.raw_json) == (b"", answers[asin].raw_json)


async def test_products_are_found_by_code(world: World) -> None:
    asin = world.sandbox.asins(1)[0]
    known = await collected(world.gateway.GetProducts(products([asin])))
    code = known[asin].product.eans[0]

    answers = await collected(world.gateway.GetProducts(products([], codes=[code])))

    assert answers[code].product.asin == asin
    assert answers[code].status in (pb.PRODUCT_STATUS_CACHED, pb.PRODUCT_STATUS_FOUND)


async def test_the_store_alone_never_spends(world: World) -> None:
    asins = world.sandbox.asins(2)
    await collected(world.gateway.GetProducts(products(asins[:1])))
    before = len(await world.sandbox.truth())

    answers = await collected(world.gateway.GetProducts(products(asins, cache_only=True)))

    assert answers[asins[0]].status == pb.PRODUCT_STATUS_CACHED
    assert answers[asins[1]].status == pb.PRODUCT_STATUS_REFUSED
    assert answers[asins[1]].reason == "NOT_STORED"
    assert len(await world.sandbox.truth()) == before


def found(page: int = 0, **more: object) -> pb.FindProductsRequest:
    return pb.FindProductsRequest(
        **{
            "request_id": str(uuid.uuid4()),
            "selection": pb.ProductSelection(root_category_id=BOOKS_ROOT),
            "page": page,
            **more,
        }
    )


async def test_a_finder_page_is_asked_for_once(world: World) -> None:
    """A storm, a repetition and a later caller: 11 tokens in all."""
    request = found(page=1)
    storm = await asyncio.gather(
        world.gateway.FindProducts(request),
        *(world.gateway.FindProducts(found(page=1)) for _ in range(20)),
    )
    again = await world.gateway.FindProducts(request)

    assert len({tuple(one.asins) for one in storm}) == 1
    assert len(storm[0].asins) == 50
    assert sum(one.token_count for one in storm) == 11
    assert again.token_count in (0, 11)
    assert list(again.asins) == list(storm[0].asins)


async def test_best_sellers_come_in_order_and_parts(world: World) -> None:
    request = pb.ListBestSellersRequest(request_id=str(uuid.uuid4()), category_id=BOOKS_ROOT)

    parts = [part async for part in world.gateway.ListBestSellers(request)]
    again = [part async for part in world.gateway.ListBestSellers(request)]

    assert sum(len(part.asins) for part in parts) == parts[0].total_count > 0
    assert parts[0].token_count == 50
    assert [part.asins for part in again] == [part.asins for part in parts]


async def test_a_category_without_a_list_is_free(world: World) -> None:
    request = pb.ListBestSellersRequest(request_id=str(uuid.uuid4()), category_id=999)

    parts = [part async for part in world.gateway.ListBestSellers(request)]

    assert [(len(part.asins), part.token_count) for part in parts] == [(0, 0)]
    assert (await world.account()).held_token_count == 0


async def test_an_estimate_leaves_out_what_is_stored(world: World) -> None:
    """G9."""
    asins = world.sandbox.asins(10)
    await collected(world.gateway.GetProducts(products(asins[:4])))

    told = await world.gateway.EstimateCost(pb.EstimateCostRequest(products=products(asins)))
    offers = products(asins, options=pb.ProductOptions(offer_count=20))
    dear = await world.gateway.EstimateCost(pb.EstimateCostRequest(products=offers))
    page = await world.gateway.EstimateCost(pb.EstimateCostRequest(find=found(page=7)))

    assert (told.least_token_count, told.most_token_count, told.cached_count) == (6, 6, 4)
    assert (dear.least_token_count, dear.expected_token_count) == (10, 63)
    assert dear.most_token_count == 160
    assert page.most_token_count == 11


async def test_the_status_shows_what_was_spent_and_saved(world: World) -> None:
    asins = world.sandbox.asins(2)
    await collected(world.gateway.GetProducts(products(asins)))
    await collected(world.gateway.GetProducts(products(asins)))
    await asyncio.sleep(1.2)

    status = await world.gateway.GetTokenStatus(pb.GetTokenStatusRequest())

    assert status.account.balance_token_count > 0
    assert status.spent_token_count >= 2
    assert status.request_count >= 1
    assert status.snapshots.hit_count >= 2
    assert status.snapshots.saved_token_count >= 2
    assert status.egress.open
