"""Discovery as it runs: real gateway, budget, broker and database; only Keepa is a stand-in.

The stand-in's truth log has the last word on what was spent.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.budget.v1 import budget_pb2
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.discovery.v1 import events_pb2 as events
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from deploy.local.nats import Nats
from deploy.local.ports import free_port
from services.chassis.testing import refusal as refused
from tests.integration.discovery.whole import (
    World,
    books,
    scored_search,
    scores_wanted,
    search_wanted,
    soon,
    world,
)
from tests.support import avault_each, until

pytestmark = pytest.mark.anyio
WELL_KNOWN = 40  # So many of the best-ranked products are what searches find.


@pytest.fixture(scope="module")
def own_nats() -> Iterator[str]:
    with Nats.start(durable=False) as server:
        yield server.url


@pytest.fixture(scope="module")
async def rich(service_database: Callable[[str], str], own_nats: str) -> AsyncIterator[World]:
    async with world(service_database, own_nats) as made:
        await made.start_discovery()
        await made.start_discovery()
        yield made


async def some_asins(rich: World, number: int) -> list[str]:
    """ASINs of the catalogue of which nothing is stored; every test takes others.

    What a surprise has stored of them is chance.
    """
    request = pb.DiscoverProductsRequest(request_id=str(uuid4()), filter=books(200))
    asins = (await rich.discovery.DiscoverProducts(request)).asins
    used = rich.taken | await rich.stored()
    chosen = [asin for asin in asins[WELL_KNOWN:] if asin not in used][:number]
    assert len(chosen) == number
    rich.taken.update(chosen)
    return chosen


async def test_a_repeated_search_asks_keepa_nothing(rich: World) -> None:
    """D2, with Keepa's own count."""
    request = pb.DiscoverProductsRequest(
        request_id=str(uuid4()),
        filter=pb.DiscoveryFilter(max_results=30, rank_range=pb.RankRange(maximum=900_000)),
    )
    before = await rich.spent()
    first = await rich.discovery.DiscoverProducts(request)
    between = await rich.spent()
    request.request_id = str(uuid4())
    again = await rich.replicas[1].DiscoverProducts(request)

    assert between - before == first.info.token_count == 11
    assert await rich.spent() == between
    assert again.info.cache_hit
    assert again.info.token_count == 0
    assert again.info.age_duration.ToTimedelta().total_seconds() > 0
    assert again.asins == first.asins


async def test_ten_concurrent_identical_searches_spend_once(rich: World) -> None:
    """Over two replicas, with the products."""
    before = await rich.spent()
    request = scored_search(17)
    request.filter.rank_range.minimum = 200_000  # Products that no other test asks for.
    requests = []
    for number in range(10):
        one = pb.DiscoverScoredProductsRequest()
        one.CopyFrom(request)
        one.request_id = str(uuid4())
        requests.append(rich.replicas[number % 2].DiscoverScoredProducts(one))

    answers = await asyncio.gather(*requests)

    assert await rich.spent() - before == 11 + 17
    assert sum(answer.info.token_count for answer in answers) == 28
    assert {len(answer.scores) for answer in answers} == {17}
    for answer in answers:
        assert not answer.info.stop_reason


async def test_every_score_is_whole_and_explained(rich: World) -> None:
    """D5: a number without its lines is a guess."""
    answer = await rich.discovery.DiscoverScoredProducts(scored_search(17))

    assert answer.total_count >= 17
    assert answer.filter.category_ids == [283155]
    for score in answer.scores:
        assert score.summary
        assert score.recommendation
        assert score.score_version == "2026.1"
        assert score.currency_code == "USD"
        explained = await rich.discovery.ExplainScore(pb.ExplainScoreRequest(name=score.name))
        assert explained.score.inputs_hash == score.inputs_hash
        assert explained.steps
        if score.HasField("fees"):
            fees = score.fees
            kept = fees.referral_cents + fees.closing_cents + fees.fulfilment_cents
            kept += fees.placement_cents + fees.storage_cents
            kept += fees.returns_cents + fees.buffer_cents
            assert fees.net_cents == score.sell_cents - kept
            assert score.profit_cents == fees.net_cents - fees.cash_cost_cents


async def test_scores_stream_with_their_end(rich: World) -> None:
    """The last message says what it cost."""
    asins = await some_asins(rich, 5)
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=asins)

    parts = [part async for part in rich.discovery.ScoreProducts(request)]

    assert [part.WhichOneof("part") for part in parts] == ["score"] * 5 + ["info"]
    assert sum(part.score.token_count for part in parts[:-1]) == parts[-1].info.token_count


async def test_an_estimate_spends_nothing_and_is_kept(rich: World) -> None:
    """What people are told before is the most they pay after."""
    asins = await some_asins(rich, 6)
    before = await rich.spent()
    ask = pb.EstimateDiscoveryRequest(asins=pb.AsinList(asins=asins))
    estimate = await rich.discovery.EstimateDiscovery(ask)
    assert await rich.spent() == before

    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=asins)
    parts = [part async for part in rich.discovery.ScoreProducts(request)]

    assert estimate.most_token_count >= parts[-1].info.token_count
    assert (await rich.discovery.EstimateDiscovery(ask)).most_token_count == 0


@pytest.mark.parametrize("source", [pb.DISCOVERY_SOURCE_FINDER, pb.DISCOVERY_SOURCE_BEST_SELLERS])
async def test_a_list_that_only_the_gateway_has_is_known_to_cost_nothing(
    rich: World, source: pb.DiscoverySource.ValueType
) -> None:
    """The next search wants a few more of the list that Keepa has answered with already."""
    wanted = pb.DiscoveryFilter(source=source, category_ids=[173514], max_results=20)
    ask = pb.EstimateDiscoveryRequest(filter=wanted, scored_count=20)
    request = pb.DiscoverProductsRequest(request_id=str(uuid4()), filter=wanted)
    unknown = await rich.discovery.EstimateDiscovery(ask)
    first = await rich.discovery.DiscoverProducts(request)

    ask.filter.max_results = request.filter.max_results = ask.scored_count = 25
    request.request_id = str(uuid4())
    estimate = await rich.discovery.EstimateDiscovery(ask)
    second = await rich.discovery.DiscoverProducts(request)
    ask.force_refresh = True
    afresh = await rich.discovery.EstimateDiscovery(ask)

    price = 50 if source == pb.DISCOVERY_SOURCE_BEST_SELLERS else 11
    assert not unknown.search_cached
    assert unknown.search_token_count == first.info.token_count == price
    assert estimate.search_cached
    assert (estimate.most_token_count, second.info.token_count) == (25, 0)
    assert afresh.search_token_count == price


async def test_a_job_s_steps_are_answered_and_paid_from_its_envelope(rich: World) -> None:
    """The flow of design 6, from event to event."""
    await some_asins(rich, 0)
    before, envelope = await rich.spent(), await rich.hold(60)
    wanted = search_wanted(envelope)
    wanted.filter.rank_range.maximum = 800_000
    await rich.ask(wanted)
    found = await rich.answer(wanted.step_id)
    assert isinstance(found, events.DiscoveryCompleted)

    asins = await some_asins(rich, 8)
    asked = scores_wanted(asins, envelope)
    await rich.ask(asked)
    scored = await rich.answer(asked.step_id)

    assert isinstance(scored, events.ScoringCompleted)
    assert [score.asin for score in scored.scores] == asins
    spent = await rich.spent() - before
    assert spent == found.info.token_count + scored.info.token_count
    held = await rich.ledger.GetReservation(budget_pb2.GetReservationRequest(name=envelope))
    assert held.reservation.committed_token_count == spent
    await rich.release(envelope)


async def test_work_after_the_envelope_s_end_is_answered_as_stopped(rich: World) -> None:
    """The envelope is the fence: a job that ended pays for nothing more."""
    asins, envelope = await some_asins(rich, 4), await rich.hold(20)
    await rich.release(envelope)
    before = await rich.spent()
    asked = scores_wanted(asins, envelope)
    await rich.ask(asked)

    answer = await rich.answer(asked.step_id)

    assert isinstance(answer, events.ScoringFailed)
    assert answer.info.stop_reason == pb.STOP_REASON_ENVELOPE_ENDED
    assert await rich.spent() == before


async def test_a_repeated_event_is_one_step(rich: World) -> None:
    """Events come at least once; jobs are paid once."""
    asins, envelope = await some_asins(rich, 3), await rich.hold(20)
    before, asked = await rich.spent(), scores_wanted(asins, envelope)
    for _ in range(3):
        await rich.ask(asked)

    answer = await rich.answer(asked.step_id)
    await asyncio.sleep(0.5)

    assert len(answer.scores) == 3
    assert await rich.spent() - before == 3
    await rich.release(envelope)


async def test_refusals_of_peers_pass_through_with_their_domain(rich: World) -> None:
    """A caller must know whose refusal it is to act on it."""
    asins = await some_asins(rich, 2)
    ended = await rich.hold(10)
    await rich.release(ended)
    request = pb.ScoreProductsRequest(
        request_id=str(uuid4()), asins=asins, spending=keepa.Spending(envelope=ended)
    )

    found = await refused(rich.discovery.ScoreProducts(request))

    assert (found.reason, found.domain) == ("RESERVATION_ENDED", "budget.arbitragevault")


async def test_a_search_that_runs_dry_keeps_what_it_has(
    fresh_service_database: Callable[[str], str],
) -> None:
    """INC-4: 60 tokens left, a search for more; no debt, and a reason."""
    with Nats.start(durable=False) as broker:
        async with world(fresh_service_database, broker.url, left=60) as poor:
            discovery = await poor.start_discovery()

            dear = await refused(discovery.DiscoverScoredProducts(scored_search(60)))
            modest = await discovery.DiscoverScoredProducts(scored_search(30))

            assert dear.reason == "INSUFFICIENT_TOKENS"
            assert dear.retry_after is not None
            assert modest.info.token_count == 41
            assert (await poor.keepa.get("/_sandbox/balance")).json()["tokensLeft"] >= 10


async def test_a_worker_killed_in_the_middle_of_a_step_is_replaced_and_pays_once(
    fresh_service_database: Callable[[str], str],
) -> None:
    """Kill points of a job: SIGKILL while Keepa works on the answer."""
    with Nats.start(durable=False) as broker:
        async with world(fresh_service_database, broker.url, latency=3.0) as slow:
            killed = slow.spawn_discovery(free_port())
            try:
                envelope = await slow.hold(60)
                wanted = search_wanted(envelope)
                await until_stream(slow)
                await slow.ask(wanted)
                await until(lambda: calls_begun(slow), 30)
            finally:
                killed.kill()
                killed.wait(10)
            successor = slow.spawn_discovery(free_port())
            try:
                answer = await slow.answer(wanted.step_id, 45)
            finally:
                successor.terminate()
                successor.wait(20)

            assert isinstance(answer, events.DiscoveryCompleted)
            assert len(answer.asins) == 20
            assert await slow.spent() == 11
            assert len(await slow.truth()) == 1


async def calls_begun(slow: World) -> bool:
    """Whether tokens are held for a call under way."""
    request = budget_pb2.ListReservationsRequest(state=budget_pb2.RESERVATION_STATE_HELD)
    held = (await slow.ledger.ListReservations(request)).reservations
    return any(one.parent for one in held)


async def until_stream(slow: World) -> None:
    async def there() -> bool:
        try:
            await slow.js.stream_info("ARBITRAGEVAULT_DISCOVERY")
        except Exception:  # noqa: BLE001 - not there yet
            return False
        return True

    await until(there, 30)


async def test_late_deadlines_spend_nothing(rich: World) -> None:
    """A step whose job has ended by now must not cost it a token."""
    asins, envelope = await some_asins(rich, 2), await rich.hold(20)
    before = await rich.spent()
    asked = scores_wanted(asins, envelope, deadline_time=soon(0.5))
    await rich.ask(asked)

    answer = await rich.answer(asked.step_id)

    assert isinstance(answer, events.ScoringFailed)
    assert answer.info.stop_reason == pb.STOP_REASON_DEADLINE
    assert await rich.spent() == before
    await rich.release(envelope)


async def first_passed(rich: World, number: int, **changes: object) -> list[pb.ProductScore]:
    """The last word about some products that no test asked for before."""
    asins = await some_asins(rich, number)
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=asins, **changes)  # type: ignore[arg-type]
    parts = [part async for part in rich.discovery.ScoreProducts(request)]
    last = {part.score.asin: part.score for part in parts if part.HasField("score")}
    return [last[asin] for asin in asins]


async def test_the_best_candidates_are_looked_at_again_within_the_caller_s_envelope(
    rich: World,
) -> None:
    """D5: live offers make buying prices real, for what the envelope holds and no more."""
    await some_asins(rich, 0)  # The list of products is stored from here on.
    envelope, before = await rich.hold(90), await rich.spent()

    scores = await first_passed(
        rich, 20, offer_check_count=20, spending=keepa.Spending(envelope=envelope)
    )

    spent = await rich.spent() - before
    close = [score for score in scores if score.offers_fetched]
    assert close
    assert 20 < spent <= 90
    assert any(score.buy_basis == pb.BUY_BASIS_OFFER for score in close)
    held = await rich.ledger.GetReservation(budget_pb2.GetReservationRequest(name=envelope))
    assert held.reservation.committed_token_count == spent
    await rich.release(envelope)


async def test_an_envelope_that_is_too_small_answers_what_fits(rich: World) -> None:
    """D5: what was found is told, and why it ended, with the rest of the products named."""
    asins = await some_asins(rich, 8)
    envelope, before = await rich.hold(3), await rich.spent()
    request = pb.ScoreProductsRequest(
        request_id=str(uuid4()), asins=asins, spending=keepa.Spending(envelope=envelope)
    )

    parts = [part async for part in rich.discovery.ScoreProducts(request)]

    found = [part.score for part in parts[:-1] if part.score.name]
    assert len(found) == 3
    assert parts[-1].info.stop_reason == pb.STOP_REASON_ENVELOPE_ENDED
    assert await rich.spent() - before == 3
    await rich.release(envelope)


async def test_a_job_s_second_pass_leaves_what_the_job_needs(rich: World) -> None:
    """Design 6.5, from event to event."""
    asins, envelope = await some_asins(rich, 10), await rich.hold(70)
    before, asked = await rich.spent(), scores_wanted(asins, envelope, kept_token_count=20)
    await rich.ask(asked)

    answer = await rich.answer(asked.step_id, 60)

    spent = await rich.spent() - before
    assert isinstance(answer, events.ScoringCompleted)
    assert [score.asin for score in answer.scores] == asins
    assert answer.info.token_count == spent
    assert spent <= 50
    await rich.release(envelope)


async def test_a_product_is_verified_against_what_was_decided_on(rich: World) -> None:
    """D10: fresh price, rank and offers, each compared; the price of being sure is told."""
    score = (await first_passed(rich, 1))[0]
    before = await rich.spent()
    request = pb.VerifyProductRequest(request_id=str(uuid4()), asin=score.asin, score=score.name)

    same = await rich.discovery.VerifyProduct(request)
    dear = await rich.discovery.VerifyProduct(
        pb.VerifyProductRequest(
            request_id=str(uuid4()),
            asin=score.asin,
            # Above whatever history the live offers bring: a price given by hand names none.
            baseline=pb.VerificationBaseline(sell_cents=20 * score.sell_cents),
        )
    )

    assert same.verdict == pb.VERIFICATION_VERDICT_OK
    assert same.score.offers_fetched
    assert same.baseline.sell_cents == score.sell_cents
    assert dear.verdict == pb.VERIFICATION_VERDICT_AVOID
    assert [change.field for change in dear.changes] == ["sell_cents"]
    assert await rich.spent() - before == same.info.token_count + dear.info.token_count > 0


async def test_a_verification_that_cannot_be_paid_is_no_verdict(rich: World) -> None:
    """D10: yesterday's offers say nothing about today; the refusal comes with its numbers."""
    score = (await first_passed(rich, 1))[0]
    checked = pb.VerifyProductRequest(request_id=str(uuid4()), asin=score.asin)
    await rich.discovery.VerifyProduct(checked)
    small, before = await rich.hold(2), await rich.spent()

    found = await refused(
        rich.discovery.VerifyProduct(
            pb.VerifyProductRequest(
                request_id=str(uuid4()),
                asin=score.asin,
                spending=keepa.Spending(envelope=small),
            )
        )
    )

    assert (found.reason, found.domain) == ("ENVELOPE_EXHAUSTED", "budget.arbitragevault")
    assert found.facts["remaining"] == 2
    assert await rich.spent() == before
    await rich.release(small)


async def test_stock_is_estimated_live_and_from_what_is_stored_when_it_must(rich: World) -> None:
    """D9: within 15 % of the target; an old answer says that it is one."""
    asin = (await some_asins(rich, 1))[0]
    request = pb.EstimateStockRequest(request_id=str(uuid4()), asin=asin)

    live = await rich.discovery.EstimateStock(request)
    request.request_id, request.target_cents = str(uuid4()), 2 * live.estimate.target_cents
    again = await rich.discovery.EstimateStock(request)
    small = await rich.hold(2)
    fallback = await rich.discovery.EstimateStock(
        pb.EstimateStockRequest(
            request_id=str(uuid4()),
            asin=asin,
            force_refresh=True,
            spending=keepa.Spending(envelope=small),
        )
    )

    assert live.info.token_count > 0
    assert not live.estimate.stale
    assert live.estimate.low_cents <= live.estimate.target_cents <= live.estimate.high_cents
    for offer in live.estimate.offers:
        price = offer.price_cents + offer.shipping_cents
        assert live.estimate.low_cents <= price <= live.estimate.high_cents
    assert (again.info.token_count, again.info.cache_hit) == (0, True)
    assert fallback.estimate.stale
    assert fallback.info.stale
    assert fallback.info.stop_reason == pb.STOP_REASON_ENVELOPE_ENDED
    assert fallback.estimate.unit_count == live.estimate.unit_count
    await rich.release(small)


async def test_stock_that_nobody_could_count_is_unknown_and_not_none(rich: World) -> None:
    """Who reads 0 buys; offers that were read before are counted, and the failure is told."""
    request = pb.EstimateStockRequest(
        asin=(await some_asins(rich, 1))[0], target_cents=2000, force_refresh=True
    )

    async def counted(*, failing: bool) -> pb.EstimateStockResponse:
        if failing:
            order = {"fault": "failed_offers", "path": "/product"}
            (await rich.keepa.post("/_sandbox/faults", json=order)).raise_for_status()
        request.request_id = str(uuid4())
        answer: pb.EstimateStockResponse = await rich.discovery.EstimateStock(request)
        return answer

    before = await rich.spent()
    lost, live, kept = [await counted(failing=fails) for fails in (True, False, True)]
    spent = await rich.spent() - before

    for name in ("unit_count", "offer_count", "fba_offer_count", "known_stock_count"):
        assert not lost.estimate.HasField(name)
        assert live.estimate.HasField(name)
    assert lost.info.stop_reason == kept.info.stop_reason == pb.STOP_REASON_KEEPA_UNAVAILABLE
    assert not live.info.stop_reason
    assert kept.estimate.offers == live.estimate.offers
    assert kept.estimate.fetch_time == live.estimate.fetch_time
    assert kept.estimate.unit_count == live.estimate.unit_count
    assert sum(one.info.token_count for one in (lost, live, kept)) == spent


@pytest.mark.parametrize(
    ("source", "price"), [(pb.DISCOVERY_SOURCE_FINDER, 10), (pb.DISCOVERY_SOURCE_BEST_SELLERS, 0)]
)
async def test_that_a_category_holds_nothing_is_paid_for_once_at_most(
    rich: World, source: pb.DiscoverySource.ValueType, price: int
) -> None:
    """Keepa's finder takes 10 tokens to find nothing, and nobody can know before; a list is free."""
    wanted = pb.DiscoveryFilter(category_ids=[465600], max_results=15, source=source)
    before = await rich.spent()

    answers = []
    for replica in (rich.replicas[0], rich.replicas[1]):
        request = pb.DiscoverProductsRequest(request_id=str(uuid4()), filter=wanted)
        answers.append(await replica.DiscoverProducts(request))

    assert [list(one.asins) for one in answers] == [[], []]
    assert [one.info.token_count for one in answers] == [price, 0]
    assert answers[1].info.cache_hit
    assert await rich.spent() - before == price


async def test_best_sellers_of_one_category_are_a_source_of_their_own(rich: World) -> None:
    """D1: Keepa cannot restrict the list, so nobody is led to believe that it was."""
    wanted = pb.DiscoveryFilter(
        category_ids=[283155], max_results=15, source=pb.DISCOVERY_SOURCE_BEST_SELLERS
    )
    request = pb.DiscoverProductsRequest(request_id=str(uuid4()), filter=wanted)
    before = await rich.spent()

    found = await rich.discovery.DiscoverProducts(request)
    request.request_id = str(uuid4())
    again = await rich.replicas[1].DiscoverProducts(request)
    request.request_id = str(uuid4())
    request.filter.rank_range.maximum = 10_000
    narrowed = await refused(rich.discovery.DiscoverProducts(request))

    assert len(found.asins) == 15
    assert found.info.token_count == await rich.spent() - before == 50
    assert again.info.cache_hit
    assert again.asins == found.asins
    assert narrowed.reason == "INVALID_FIELD"


async def test_one_product_s_numbers_cost_a_token_once(rich: World) -> None:
    """E1's metrics, with the histories on request, and a miss when nothing may be spent."""
    asin, other = await some_asins(rich, 2)
    request = pb.GetProductMetricsRequest(request_id=str(uuid4()), asin=asin, include_series=True)

    told = await rich.discovery.GetProductMetrics(request)
    request.request_id = str(uuid4())
    again = await rich.discovery.GetProductMetrics(request)
    missed = await refused(
        rich.discovery.GetProductMetrics(
            pb.GetProductMetricsRequest(request_id=str(uuid4()), asin=other, cache_only=True)
        )
    )
    nobody = await refused(
        rich.discovery.GetProductMetrics(
            pb.GetProductMetricsRequest(request_id=str(uuid4()), asin="B0NOTTHERE")
        )
    )

    assert told.info.token_count == 1
    assert told.metrics.new_cents > 0
    assert told.metrics.sales_rank > 0
    assert told.metrics.confidence_score > 0
    assert {"NEW", "SALES"} <= {one.name for one in told.metrics.series}
    assert (again.info.token_count, again.info.cache_hit) == (0, True)
    assert (missed.reason, nobody.reason) == ("CACHE_MISS", "PRODUCT_NOT_FOUND")


async def examined(stub: Any, **fields: Any) -> tuple[list[pb.Niche], pb.DiscoverNichesResponse]:
    """Niches, and the end of the stream."""
    request = pb.DiscoverNichesRequest(request_id=str(uuid4()), **fields)
    told = [part async for part in stub.DiscoverNiches(request)]
    return [part.niche for part in told[:-1]], told[-1]


async def test_a_surprise_is_paid_once_and_told_again_for_nothing(rich: World) -> None:
    """D6 by Keepa's own count: niches of real products, and the same draw from the cache."""
    before = await rich.spent()
    niches, end = await examined(rich.discovery, count=2, scored_count=5)
    between = await rich.spent()
    again, free = await examined(
        rich.replicas[1], count=2, scored_count=5, seed=end.seed, cache_only=True
    )

    assert len({niche.name for niche in niches}) == 2
    assert between - before == end.info.token_count == sum(one.token_count for one in niches)
    assert end.info.token_count <= 2 * (11 + 5)
    assert [niche.name for niche in again] == [niche.name for niche in niches]
    assert [niche.passed_count for niche in again] == [niche.passed_count for niche in niches]
    assert (free.info.token_count, await rich.spent()) == (0, between)


async def test_a_surprise_ends_at_a_429_with_what_it_has(
    fresh_service_database: Callable[[str], str], own_nats: str
) -> None:
    """D6, INC-4: the niche that is stored is told, the next one is refused, the third unasked."""
    async with world(fresh_service_database, own_nats) as stopped:
        stub = await stopped.start_discovery()
        await examined(stub, names=["niches/thrillers"], scored_count=3)
        spent = await stopped.spent()
        await stopped.keepa.post("/_sandbox/faults", json={"fault": "rate_limited"})
        names = ["niches/thrillers", "niches/romance", "niches/fitness"]
        niches, end = await examined(stub, names=names, scored_count=3)

        assert [niche.name for niche in niches] == names[:1]
        assert end.info.stop_reason == pb.STOP_REASON_RATE_LIMITED
        assert end.info.retry_delay.ToTimedelta().total_seconds() > 0
        assert await stopped.spent() == spent


async def test_a_search_leaves_as_a_file_with_what_was_answered(rich: World) -> None:
    """A9, D3: what was told is what is exported, from any replica, for nothing."""
    answer = await rich.discovery.DiscoverScoredProducts(scored_search(15))
    before = await rich.spent()
    newest = await rich.discovery.ListSearches(pb.ListSearchesRequest(page_size=1))
    request = pb.ExportSearchRequest(
        name=newest.searches[0].name, format=pb.EXPORT_FORMAT_JSON_LINES
    )
    pieces = [piece async for piece in rich.replicas[1].ExportSearch(request)]
    lines = [json.loads(line) for line in b"".join(one.content for one in pieces).splitlines()]

    assert [line["asin"] for line in lines] == [score.asin for score in answer.scores]
    assert [line["recommendation"] for line in lines] == [
        pb.Recommendation.Name(score.recommendation).removeprefix("RECOMMENDATION_")
        for score in answer.scores
    ]
    assert [round(100 * (line["sell_price"] or 0)) for line in lines] == [
        score.sell_cents for score in answer.scores
    ]
    assert await rich.spent() == before


async def test_a_change_of_the_configuration_holds_at_once_everywhere(rich: World) -> None:
    """D11, D8: every replica scores by it, others hear of it, and nothing is spent again."""
    wanted = scored_search(10)
    before = await rich.discovery.DiscoverScoredProducts(wanted)
    asins, spent = [score.asin for score in before.scores], await rich.spent()
    source = await rich.js.subscribe(
        "arbitragevault.discovery.v1.ScoringConfigChanged", ordered_consumer=True
    )
    held = (await rich.discovery.GetScoringConfig(pb.GetScoringConfigRequest())).config
    change = pb.UpdateScoringConfigRequest(
        request_id=str(uuid4()),
        config=pb.ScoringConfig(
            etag=held.etag,
            fees=pb.FeeConfig(prep_cents=120),
            views=[pb.ViewConfig(name="views/velocity", target_roi_percent=60)],
        ),
    )
    made = (await rich.discovery.UpdateScoringConfig(change)).config
    event = events.ScoringConfigChanged.FromString((await source.next_msg(timeout=20)).data)
    await source.unsubscribe()
    wanted.request_id = str(uuid4())
    after = await rich.replicas[1].DiscoverScoredProducts(wanted)
    view = await rich.replicas[1].GetStrategicView(
        pb.GetStrategicViewRequest(request_id=str(uuid4()), name="views/velocity", asins=asins)
    )

    old = {score.asin: score for score in before.scores}
    assert (event.revision, made.revision) == (held.revision + 1, held.revision + 1)
    assert {score.config_revision for score in after.scores} == {made.revision}
    for score in after.scores:
        if score.HasField("fees"):
            assert score.fees.prep_cents == 120
            assert score.profit_cents <= old[score.asin].profit_cents
    assert view.target_roi_percent == 60
    assert len(view.rows) == len(asins)
    assert await rich.spent() == spent


async def test_at_the_end_the_ledger_is_balanced(rich: World) -> None:
    """Whatever the other tests did: every token Keepa took is booked, and nothing is held."""
    verified = await rich.ledger.VerifyLedger(budget_pb2.VerifyLedgerRequest())

    assert verified.consistent
    assert verified.spent_token_count == await rich.spent()
    held = budget_pb2.ListReservationsRequest(state=budget_pb2.RESERVATION_STATE_HELD)
    assert not (await rich.ledger.ListReservations(held)).reservations


async def test_avault_shows_keepa_and_the_tokens_as_they_are(rich: World) -> None:
    """Every question of a price list is priced before it is asked, and free when it is stored."""
    (name,) = await some_asins(rich, 1)
    asked = [
        ("keepa", "search", "mastering", "habits"),
        ("keepa", "deals", "--drop-min", "15", "--interval", "month"),
        ("keepa", "find-categories", "science"),
        ("keepa", "categories", "283155"),
        ("keepa", "products", name),
    ]
    looked = [
        ("keepa", "status", "--json"),
        ("keepa", "check", "--json"),
        ("tokens", "usage", "--by", "caller", "--by", "endpoint", "--json"),
        ("tokens", "reservations", "--state", "committed", "--limit", "2", "--json"),
        ("tokens", "accounts", "--json"),
        ("tokens", "actions", "--json"),
        ("tokens", "check", "manual_search", "--estimate", "99999", "--json"),
        ("ledger", "--last", "3", "--json"),
    ]
    where = {"keepa_gateway": rich.gateway.address, "budget": rich.budget.address}

    said = await avault_each(*asked, *asked, *looked, **where)

    paid, free, told = said[: len(asked)], said[len(asked) : -len(looked)], said[-len(looked) :]
    for first, again in zip(paid, free, strict=True):
        assert first.err.startswith("costs ")
        assert again.err.startswith("costs nothing: it is stored\n")
        assert again.err.splitlines()[-1].split("; ")[:2][-1] == "0 tokens"
        assert again.out
    status, check, usage, held, accounts, actions, allowed, ledger = (one.answers for one in told)
    assert status[0]["egress"]["open"]
    assert check[0]["account"]["name"] == accounts[0]["name"] == "accounts/default"
    assert {row["endpoint"] for row in usage if row["caller"] == "avault"} >= {"search", "deal"}
    assert [one["state"] for one in held] == ["RESERVATION_STATE_COMMITTED"] * 2
    assert "actions/manual_search" in [one["name"] for one in actions]
    assert "allowed" not in allowed[0]
    assert "startTime" not in allowed[0]
    assert len(ledger) >= 3
