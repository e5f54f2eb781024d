"""Searches over a real database: what is stored is free, what is asked is paid once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from services.chassis import sql
from services.chassis.testing import refusal as refused
from services.discovery.domain.answers import Appraisal, Status, Tally
from services.discovery.domain.criteria import Filter, Options, digest
from services.discovery.domain.errand import Errand, Priority
from services.discovery.domain.past import SearchKind
from services.discovery.domain.stops import StopReason
from services.discovery.usecases import flight, holding
from services.discovery.usecases.searching import Ended
from tests.integration.discovery.stage import Replica, asin, refusal, request

pytestmark = pytest.mark.anyio
SIXTY = Filter(max_results=60)


async def scored(one: Replica, number: int, **changes: object) -> tuple[list[Appraisal], Tally]:
    asins = [asin(at) for at in range(number)]
    parts = one.desk.score(request(**changes), 1, asins, Options())  # type: ignore[arg-type]
    answers: list[Appraisal] = []
    async for part in parts:
        if isinstance(part, Ended):
            return answers, part.tally
        answers.extend(part)
    raise AssertionError("the stream had no end")


async def test_a_repeated_search_spends_nothing(one: Replica) -> None:
    """The first product paid again for the same list every time (D2)."""
    first = await one.desk.discover(request(), SIXTY)
    again = await one.desk.discover(request(), SIXTY)

    assert (first.tally.tokens, first.tally.cache_hit) == (11, False)
    assert (again.tally.tokens, again.tally.cache_hit) == (0, True)
    assert again.listing.asins == first.listing.asins
    assert one.till.tokens == 11


async def test_concurrent_misses_on_two_replicas_spend_once(one: Replica, two: Replica) -> None:
    """Ten people who press the button together pay for one search (D2)."""
    one.till.delay = 0.2

    answers = await asyncio.gather(
        *(desk.discover(request(), SIXTY) for desk in (one.desk, two.desk) for _ in range(5))
    )

    assert one.till.tokens == 11
    assert len(one.till.paid) == 1
    assert sum(answer.tally.tokens for answer in answers) == 11
    assert len({answer.listing.asins for answer in answers}) == 1


async def test_concurrent_misses_of_scores_spend_once(one: Replica, two: Replica) -> None:
    """The same holds for products."""
    one.till.delay = 0.005

    answers = await asyncio.gather(*(scored(each, 30) for each in (one, two) for _ in range(5)))

    assert one.till.tokens == 30
    assert sum(tally.tokens for _, tally in answers) == 30
    assert all(len(found) == 30 for found, _ in answers)


async def test_fresh_scores_are_given_for_nothing_and_say_so(one: Replica) -> None:
    """Scores stay fresh for 6 h."""
    first, paid = await scored(one, 5)
    again, free = await scored(one, 5)

    assert (paid.tokens, paid.cache_hit) == (5, False)
    assert (free.tokens, free.cache_hit) == (0, True)
    assert {answer.status for answer in again} == {Status.CACHED}
    assert [a.score for a in again] == [a.score for a in first]


async def test_expired_scores_are_scored_again(one: Replica) -> None:
    """Six hours later prices have moved."""
    await scored(one, 5)
    await one.execute("update discovery.score_cache set expires_at = now() - interval '1 s'")

    _, tally = await scored(one, 5)

    assert not tally.cache_hit
    assert tally.tokens == 0  # The gateway has the products themselves for 24 h.


async def test_an_own_buying_price_is_another_score(one: Replica) -> None:
    """Somebody's cost must not leak into somebody else's answer."""
    name, cost = asin(0), {asin(0): 900}
    await scored(one, 1)

    parts = one.desk.score(request(), 1, [name], Options(costs_cents=cost))
    answers = [part async for part in parts]

    assert isinstance(answers[0], tuple)
    assert answers[0][0].score is not None
    assert answers[0][0].score.inputs.terms.cost_cents == 900


async def test_a_request_id_with_other_content_is_refused(one: Replica) -> None:
    """An id that means two things means nothing."""
    same = uuid4()
    await one.desk.discover(request(same), SIXTY)

    found = await refused(one.desk.discover(request(same), Filter(max_results=70)))

    assert found.reason == "REQUEST_ID_REUSED"


async def test_a_retried_refresh_is_not_paid_again(one: Replica) -> None:
    """A caller that lost the answer asks again with the same id."""
    same = request(uuid4(), force_refresh=True)

    await one.desk.discover(same, SIXTY)
    await one.desk.discover(same, SIXTY)

    assert one.till.tokens == 11


async def test_a_search_of_several_calls_holds_one_envelope_and_gives_it_back(
    one: Replica,
) -> None:
    """Half a search is the worst of both: paid, and of no use."""
    ranked = await one.desk.discover_scored(request(), SIXTY, Options(), least_rung=0)

    assert list(one.purse.held.values()) == [71]
    assert one.purse.released == list(one.purse.held)
    assert {errand.envelope for errand in one.till.errands} == set(one.purse.held)
    assert len(ranked.appraisals) == 60
    assert ranked.tally.tokens == 71


async def test_a_warm_search_needs_no_envelope(one: Replica) -> None:
    """What costs nothing must not wait for tokens."""
    await one.desk.discover_scored(request(), SIXTY, Options(), least_rung=0)

    again = await one.desk.discover_scored(request(), SIXTY, Options(), least_rung=0)

    assert len(one.purse.held) == 1
    assert again.tally.cache_hit
    assert again.tally.tokens == 0


async def test_an_own_envelope_is_used_and_left_alone(one: Replica) -> None:
    """Who brings an envelope decides when it ends."""
    mine = Errand(caller="tester", envelope=f"reservations/{uuid4()}")

    await one.desk.discover_scored(request(errand=mine), SIXTY, Options(), least_rung=0)

    assert one.purse.held == {}
    assert {errand.envelope for errand in one.till.errands} == {mine.envelope}


async def test_a_search_that_is_stopped_answers_with_what_it_found(one: Replica) -> None:
    """A 429 half-way must not throw away what was paid for (INC-4)."""
    one.till.allowed = 25

    ranked = await one.desk.discover_scored(request(), SIXTY, Options(), least_rung=0)

    assert ranked.tally.stop is not None
    assert ranked.tally.stop.reason is StopReason.RATE_LIMITED
    assert sum(one.score is not None for one in ranked.appraisals) == 25
    assert one.purse.released == list(one.purse.held)


async def test_a_search_that_never_began_fails_with_the_reason(one: Replica) -> None:
    """No answer at all is a refusal, with its numbers."""
    one.purse.refusals.append(refusal("INSUFFICIENT_TOKENS", 60))

    found = await refused(one.desk.discover_scored(request(), SIXTY, Options(), least_rung=0))

    assert found.reason == "INSUFFICIENT_TOKENS"
    assert one.till.tokens == 0


async def test_what_is_too_much_is_refused_by_its_price(one: Replica) -> None:
    """D1: no range forbids 10,000 products; their price does."""
    many = Filter(max_results=10_000)

    found = await refused(one.desk.discover_scored(request(), many, Options(), least_rung=0))

    assert found.reason == "JOB_TOO_EXPENSIVE"
    assert found.facts["estimated_tokens"] == 10_110
    assert found.facts["max_allowed"] == 200
    listed = await one.desk.discover(request(), many)
    assert listed.tally.tokens == 110


async def test_cache_only_never_spends(one: Replica) -> None:
    """A dashboard may look without paying."""
    found = await refused(one.desk.discover(request(cache_only=True), SIXTY))
    products, tally = await scored(one, 3, cache_only=True)

    assert found.reason == "CACHE_MISS"
    assert {one.status for one in products} == {Status.REFUSED}
    assert tally.tokens == one.till.tokens == 0


async def test_unknown_products_are_reported_as_such(one: Replica) -> None:
    """An answer that was lost may have been paid; nobody may take it for a no."""
    one.till.unknown = {asin(1)}

    answers, tally = await scored(one, 3)

    assert {one.asin: one.status for one in answers}[asin(1)] is Status.UNKNOWN
    assert tally.unsettled == 1


async def test_the_least_recommendation_hides_the_rest(one: Replica) -> None:
    """Assumed prices are CONSIDER at best, so asking for BUY shows none of them."""
    every = await one.desk.discover_scored(request(), SIXTY, Options(), least_rung=0)
    bought = await one.desk.discover_scored(request(), SIXTY, Options(), least_rung=3)

    assert len(every.appraisals) == 60
    assert bought.appraisals == []


async def test_history_remembers_every_search(one: Replica) -> None:
    """D3: what was asked, what it cost, and whether it was stored."""
    await one.desk.discover(request(), SIXTY)
    await one.desk.discover(request(), SIXTY)
    await scored(one, 3)

    first = await one.searches.page(None, "", size=2, after=None)
    rest = await one.searches.page(None, "", size=2, after=first.next_place)

    every = [*first.items, *rest.items]
    assert [search.kind for search in every] == [
        SearchKind.SCORING, SearchKind.DISCOVERY, SearchKind.DISCOVERY,
    ]  # fmt: skip
    assert [search.cache_hit for search in every] == [False, True, False]
    assert [search.tokens for search in every] == [3, 0, 11]
    assert every[1].filter == SIXTY
    assert rest.next_place is None


async def test_cache_health_counts_hits_and_purging_forgets(one: Replica) -> None:
    """D4: a cache nobody hits is a cost."""
    for _ in range(5):
        await one.desk.discover(request(), SIXTY)

    lists, scores = await one.caches.health()
    await one.execute("update discovery.lists set expires_at = now() - interval '1 s'")
    gone = await one.caches.purge()

    assert (lists.cache, lists.entries, lists.hits, lists.rating) == (
        "discovery", 1, 4, "excellent",
    )  # fmt: skip
    assert lists.hit_percent == 80
    assert not lists.alert
    assert scores.entries == 0
    assert gone == 1


async def test_cache_health_tells_the_two_caches_apart(one: Replica, database: str) -> None:
    """D4: stored scores are no hit of the lists, a scored search asks both; of the last week."""
    await scored(one, 4)
    for _ in range(2):
        await one.desk.discover_scored(request(), Filter(max_results=4), Options(), least_rung=1)
    await scored(one, 6)

    lists, scores = await one.caches.health()

    assert (lists.requests, lists.served) == (2, 1)
    assert (scores.requests, scores.served) == (4 + 4 + 4 + 6, 4 + 4 + 4)
    assert lists.hit_percent == 50
    assert not lists.alert

    owner = await asyncpg.connect(sql.plain_url(database))
    week = "created_at = created_at - interval '7 days'"
    await owner.execute(f"update discovery.searches set {week}")
    await owner.close()
    assert [each.requests for each in await one.caches.health()] == [0, 0]


async def test_scores_can_be_listed_and_explained(one: Replica) -> None:
    """D5: an answer without its reasons is a guess."""
    await scored(one, 7)

    first = await one.reader.scores("", 0, size=5, after=None)
    rest = await one.reader.scores("", 0, size=5, after=first.next_place)
    score_id = first.items[0].id
    assert score_id is not None
    explained = await one.reader.explain(score_id)

    assert len(first.items) == 5
    assert len(rest.items) == 2
    assert any("Net $" in step for step in explained.steps)
    assert (await refused(one.reader.explain(uuid4()))).reason == "SCORE_NOT_FOUND"


async def test_an_estimate_subtracts_what_is_stored(one: Replica) -> None:
    """People are told what they will pay, not what it might have cost."""
    before = await one.estimator.search(SIXTY, 60, force_refresh=False)
    await one.desk.discover_scored(request(), SIXTY, Options(), least_rung=0)
    after = await one.estimator.search(SIXTY, 60, force_refresh=False)
    forced = await one.estimator.search(SIXTY, 60, force_refresh=True)

    assert (before.search, before.products, before.search_stored) == (11, 60, False)
    assert (after.most, after.search_stored, after.stored) == (0, True, 60)
    assert forced.most == 71


async def test_a_dead_fetcher_delays_the_others_only_for_its_lease(
    one: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that nobody gives back must not lock a question for ever."""
    await one.execute(
        "insert into discovery.flights values "
        f"('{SIXTY.key}', gen_random_uuid(), clock_timestamp() + interval '300 ms')"
    )

    answer = await one.desk.discover(request(), SIXTY)

    assert answer.tally.tokens == 11


async def test_a_person_does_not_wait_for_ever_behind_a_job_that_waits(
    one: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T6: a job may wait two minutes for its tokens; a click for the same has its own."""
    monkeypatch.setattr(flight, "HASTE_SECONDS", 0.1)
    asins = [asin(at) for at in range(3)]
    batch = digest("fetch", (1, asins))
    for key in (SIXTY.key, batch):
        await one.execute(
            "insert into discovery.flights values "
            f"('{key}', gen_random_uuid(), clock_timestamp() + interval '1 hour')"
        )

    async with asyncio.timeout(20):
        found = await one.desk.discover(request(), SIXTY)
        answers, tally = await scored(one, 3)

    assert found.tally.tokens == 11
    assert (len(answers), tally.tokens) == (3, 3)


async def test_who_has_stopped_reading_keeps_neither_the_turn_nor_the_tokens(
    one: Replica, two: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T6: a client that hangs with its connection open must not hold up what everybody needs."""
    for module in (flight, holding):
        monkeypatch.setattr(module, "_PROLONG_SECONDS", 0.05)
        monkeypatch.setattr(module, "LONGEST_SECONDS", 0.2)
    monkeypatch.setattr(flight, "LEASE", timedelta(seconds=0.5))
    asins = [asin(at) for at in range(120)]
    reading = one.desk.score(request(), 1, asins, Options())
    await anext(reading)  # One chunk of the first hundred, and no more.

    async with asyncio.timeout(20):
        patient = Errand(caller="test", priority=Priority.BACKGROUND)
        answers, _ = await scored(two, 100, errand=patient)
        tasks = asyncio.all_tasks()
        await asyncio.gather(*(each for each in tasks if each.get_name().startswith("prolong ")))
    await reading.aclose()

    assert len(answers) == 100
    assert list(one.purse.held) == one.purse.released != []


async def test_a_filter_is_the_same_question_whatever_the_order(one: Replica) -> None:
    """The key is made of what is asked, not of how it is typed."""
    ordered = replace(SIXTY, category_ids=(3, 283155))

    assert ordered.key == replace(ordered).key
    assert ordered.key != SIXTY.key
