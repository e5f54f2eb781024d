"""The second pass with live offers: the best first, for what is left, and never at any cost."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.discovery.v1 import events_pb2 as events

from services.discovery.domain.answers import Appraisal, Tally
from services.discovery.domain.criteria import Filter, Options
from services.discovery.domain.errand import Errand
from services.discovery.domain.product import Offer
from services.discovery.domain.stops import StopReason
from services.discovery.usecases import holding
from services.discovery.usecases.searching import Ended
from tests.integration.discovery.stage import Replica, accept, asin, refusal, request, task

pytestmark = pytest.mark.anyio


@pytest.fixture
def cheap() -> tuple[Offer, ...]:
    """A copy that somebody else sells for $5."""
    seen = datetime.now(UTC) - timedelta(minutes=5)
    return (Offer("S1", 1, 500, 0, seen, warehouse_deal=True),)


async def scored(
    one: Replica, number: int, **changes: object
) -> tuple[list[Appraisal], dict[str, Appraisal], Tally]:
    """All that was told, the last word about each product, and what it cost."""
    asins = [asin(at) for at in range(number)]
    told: list[Appraisal] = []
    async for part in one.desk.score(request(**changes), 1, asins, Options()):  # type: ignore[arg-type]
        if isinstance(part, Ended):
            return told, {each.asin: each for each in told}, part.tally
        told.extend(part)
    raise AssertionError("the stream had no end")


async def test_the_best_candidates_get_a_real_buying_price(
    one: Replica, cheap: tuple[Offer, ...]
) -> None:
    """An assumed price decides nothing; a live offer does."""
    one.till.offers = cheap

    told, last, tally = await scored(one, 4, close_looks=2)

    close = [each for each in last.values() if each.offers]
    assert len(told) == 6
    assert len(close) == 2
    for each in close:
        assert each.score is not None
        assert each.score.inputs.figures.buy is not None
        assert (each.score.inputs.figures.buy.basis, each.score.assumed) == ("OFFER", False)
    assert tally.tokens == 4 + 12
    assert tally.asked == 4
    assert tally.stop is None


async def test_a_search_holds_what_the_second_pass_may_cost_and_gives_it_back(
    one: Replica,
) -> None:
    """Every search of more than one call holds an envelope."""
    ranked = await one.desk.discover_scored(
        request(close_looks=3), Filter(max_results=20), Options(), least_rung=1
    )

    assert sorted(one.purse.held.values()) == [31, 48]
    assert set(one.purse.released) == set(one.purse.held)
    assert len(one.till.close) == 3
    assert sum(each.offers for each in ranked.appraisals) == 3
    assert ranked.tally.tokens == 11 + 20 + 18


async def test_the_second_pass_ends_where_the_caller_s_envelope_ends(one: Replica) -> None:
    """60 tokens are left: three fit at their upper bound, then two more of what came back."""
    one.purse.brought = 60

    _, _, tally = await scored(one, 30, close_looks=20, errand=Errand(envelope="reservations/x"))

    assert one.till.close == [asin(at) for at in range(8)]
    assert tally.tokens == 30 + 8 * 6
    assert tally.stop is None
    assert {errand.envelope for errand in one.till.errands} == {"reservations/x"}
    assert one.purse.held == {}


async def test_the_second_pass_keeps_to_what_the_caller_allows_of_its_envelope(
    one: Replica,
) -> None:
    """T9: 30 tokens are allowed, 25 are left after the first pass, and one look fits at a time."""
    one.purse.brought = 200
    errand = Errand(envelope="reservations/x", max_tokens=30)

    _, _, tally = await scored(one, 5, close_looks=5, errand=errand)

    assert [len(one.till.close), tally.tokens] == [2, 5 + 2 * 6]
    assert tally.stop is None


async def test_a_first_pass_that_is_answered_does_not_wait_for_the_tokens_of_a_second(
    one: Replica,
) -> None:
    """A caller who waits for tokens would lose what is paid for to its own deadline."""
    patient = Errand(max_wait=timedelta(seconds=60))

    _, last, _ = await scored(one, 2, close_looks=2, errand=patient)

    assert sum(each.offers for each in last.values()) == 2
    assert one.purse.waits == [timedelta(0)]
    assert {errand.max_wait for errand in one.till.errands} == {timedelta(seconds=60)}


async def test_the_second_pass_is_made_as_large_as_the_balance_allows(one: Replica) -> None:
    """A refusal says what is there: that is enough for one."""
    missing = refusal("INSUFFICIENT_TOKENS", 60)
    missing.facts = {"balance": 40, "required": 58, "deficit": 18}
    one.purse.refusals = [missing]

    _, last, tally = await scored(one, 3, close_looks=3)

    assert list(one.purse.held.values()) == [16]
    assert sum(each.offers for each in last.values()) == 1
    assert tally.stop is None


async def test_a_balance_too_low_for_a_second_pass_leaves_the_first_and_says_so(
    one: Replica,
) -> None:
    """The first pass is paid for; it is not thrown away with the second."""
    one.purse.refusals = [refusal("INSUFFICIENT_TOKENS", 60)]

    _, last, tally = await scored(one, 3, close_looks=3)

    assert len(last) == 3
    assert tally.stop is not None
    assert tally.stop.reason is StopReason.INSUFFICIENT_TOKENS


async def test_after_a_429_no_second_look_is_taken(one: Replica) -> None:
    """INC-4: the first 429 ends the search."""
    one.till.allowed = 2

    _, _, tally = await scored(one, 5, close_looks=5)

    assert one.till.close == []
    assert tally.stop is not None
    assert tally.stop.reason is StopReason.RATE_LIMITED


async def test_a_second_look_is_kept_like_any_score(
    one: Replica, two: Replica, cheap: tuple[Offer, ...]
) -> None:
    """The next search, at any replica, has the better score for nothing."""
    one.till.offers = cheap
    await scored(one, 2, close_looks=2)

    _, last, tally = await scored(two, 2, close_looks=2)

    assert all(each.offers for each in last.values())
    assert (tally.tokens, tally.cache_hit) == (0, True)
    assert len(one.till.close) == 2


async def test_the_same_search_again_looks_at_no_further_candidate(
    one: Replica, two: Replica, cheap: tuple[Offer, ...]
) -> None:
    """Two of six are asked for, and two are there: whoever wants more asks for more."""
    one.till.offers = cheap
    await scored(one, 6, close_looks=2)

    _, last, again = await scored(two, 6, close_looks=2)
    paid = one.till.tokens
    _, more, _ = await scored(two, 6, close_looks=3)

    assert sum(each.offers for each in last.values()) == 2
    assert (again.tokens, again.cache_hit, paid) == (0, True, 6 + 12)
    assert sum(each.offers for each in more.values()) == 3
    assert one.till.tokens == 6 + 18


async def test_the_history_tells_of_products_and_of_what_the_second_look_brought(
    one: Replica, cheap: tuple[Offer, ...]
) -> None:
    """D3: the list itself is no product, and a return that was assumed is no longer."""
    one.till.offers = cheap
    wanted = Filter(max_results=5)

    ranked = await one.desk.discover_scored(request(close_looks=2), wanted, Options(), least_rung=1)

    (search,) = (await one.searches.page(None, "", size=9, after=None)).items
    rois = [each.score.known_roi for each in ranked.appraisals if each.score is not None]
    known = [roi for roi in rois if roi is not None]
    assert search.results == 5
    assert len(known) == 2
    assert search.mean_roi == pytest.approx(sum(known) / 2)


async def test_concurrent_second_looks_are_paid_once(one: Replica, two: Replica) -> None:
    """Ten people who look closely together pay for one look."""
    answers = await asyncio.gather(
        *(scored(each, 3, close_looks=3) for each in (one, two) for _ in range(5))
    )

    assert one.till.tokens == 3 + 18
    assert sum(tally.tokens for _, _, tally in answers) == 21


async def test_a_job_s_second_pass_spends_only_what_is_left_of_its_envelope(one: Replica) -> None:
    """Design 6.5: what the job still needs for its first pass is not touched."""
    one.purse.brought = 60
    await accept(one, task(kept=20, asins=tuple(map(asin, range(10)))))

    await one.worker.work_once()

    (event,) = await one.events()
    assert isinstance(event, events.ScoringCompleted)
    assert one.till.close == [asin(at) for at in range(5)]
    assert [score.offers_fetched for score in event.scores] == [True] * 5 + [False] * 5
    assert event.info.token_count == 10 + 30
    assert event.info.stop_reason == pb.STOP_REASON_UNSPECIFIED


async def test_a_worker_killed_in_the_second_pass_is_replaced_and_pays_no_look_twice(
    one: Replica, two: Replica
) -> None:
    """What was looked at closely is kept as it comes; the next worker goes on from there."""
    one.purse.brought = 1000
    await accept(one, task(kept=0, asins=tuple(map(asin, range(10)))))
    one.till.close_delay = 0.05
    killed = asyncio.create_task(one.worker.work_once())
    while len(one.till.close) < 7:  # noqa: ASYNC110 - it is the worker that goes on
        await asyncio.sleep(0.01)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    one.till.close_delay = 0

    assert await two.worker.work_once()

    (event,) = await one.events()
    assert isinstance(event, events.ScoringCompleted)
    assert all(score.offers_fetched for score in event.scores)
    assert set(one.till.close[:5]).isdisjoint(one.till.close[-5:])
    assert one.till.tokens <= 10 + 10 * 6 + 5 * 6  # The batch under way at the gateway's mercy.


async def test_a_job_that_asks_for_no_second_pass_gets_none(one: Replica) -> None:
    """Events of an older autosourcing do not name what is to be kept."""
    await accept(one, task())

    await one.worker.work_once()

    assert one.till.close == []


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("ENVELOPE_EXHAUSTED", pb.STOP_REASON_UNSPECIFIED),
        ("THROTTLED", pb.STOP_REASON_UNSPECIFIED),
        ("KEEPA_RATE_LIMITED", pb.STOP_REASON_RATE_LIMITED),
    ],
)
async def test_an_extra_that_is_refused_does_not_end_the_job(
    one: Replica, reason: str, stop: int
) -> None:
    """Only what would refuse the next products as well is told: a 429."""
    await accept(one, task(kept=0, asins=(asin(1),)))
    one.till.close_refusals = [refusal(reason)]

    await one.worker.work_once()

    (event,) = await one.events()
    assert isinstance(event, events.ScoringCompleted)
    assert len(event.scores) == 1
    assert event.info.stop_reason == stop


async def test_a_running_search_prolongs_its_envelope(
    one: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed search's tokens are back after forty seconds; a slow one keeps its own."""
    monkeypatch.setattr(holding, "_PROLONG_SECONDS", 0.01)
    one.till.delay = 0.1

    await one.desk.discover_scored(
        request(UUID(int=5, version=4)), Filter(max_results=2), Options(), least_rung=1
    )

    assert set(one.purse.extended) == set(one.purse.held)
