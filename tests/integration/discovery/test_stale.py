"""Answers that have expired: given at once to who accepts them, and fetched anew meanwhile."""

import asyncio

import pytest

from services.chassis.errors import Refusal
from services.discovery.domain.answers import Status
from services.discovery.domain.criteria import Filter, Options
from services.discovery.domain.errand import Priority
from services.discovery.usecases.searching import Ended
from tests.integration.discovery.stage import Replica, asin, refusal, request

pytestmark = pytest.mark.anyio
SIXTY = Filter(max_results=60)
AGES = "update discovery.lists set expires_at = now() - interval '1 s', found_at = now() - interval '25 h'"
AGES_SCORES = "update discovery.score_cache set expires_at = now() - interval '1 s'"


async def test_an_expired_list_is_given_at_once_and_renewed_behind_it(
    one: Replica, two: Replica
) -> None:
    """D2: nobody waits for Keepa who said that the old answer will do; the next has the new one."""
    await one.desk.discover(request(), SIXTY)
    await one.execute(AGES)

    stale = await one.desk.discover(request(accept_stale=True), SIXTY)
    await one.renewals.finish()
    after = await two.desk.discover(request(accept_stale=True), SIXTY)

    assert (stale.tally.tokens, stale.tally.stale, stale.tally.refreshing) == (0, True, True)
    assert stale.tally.oldest is not None
    assert (after.tally.tokens, after.tally.stale, after.tally.refreshing) == (0, False, False)
    assert one.till.tokens == 22
    assert one.till.errands[-1].priority is Priority.BACKGROUND


async def test_an_expired_list_is_paid_anew_by_who_did_not_accept_it(one: Replica) -> None:
    """An age nobody asked for is never given in silence."""
    await one.desk.discover(request(), SIXTY)
    await one.execute(AGES)

    again = await one.desk.discover(request(), SIXTY)

    assert (again.tally.tokens, again.tally.stale) == (11, False)


async def test_many_stale_answers_at_two_replicas_are_renewed_once(
    one: Replica, two: Replica
) -> None:
    """A popular search must not be paid for once by everybody who sees it."""
    await one.desk.discover(request(), SIXTY)
    await one.execute(AGES)
    one.till.delay = 0.1

    answers = await asyncio.gather(
        *(
            each.desk.discover(request(accept_stale=True), SIXTY)
            for each in (one, two)
            for _ in range(5)
        )
    )
    await asyncio.gather(one.renewals.finish(), two.renewals.finish())

    history = (await one.searches.page(None, "", size=50, after=None)).items
    assert all(answer.tally.tokens == 0 for answer in answers)
    assert one.till.tokens == 22
    assert len(history) <= 1 + 10 + 2  # The first, the ten, and one renewal of each replica.


async def test_a_mode_that_spends_nothing_gives_what_there_is_with_its_age(one: Replica) -> None:
    """Cache only: of any age, never renewed, and a miss when there is nothing."""
    await one.desk.discover(request(), SIXTY)
    await one.execute(AGES)

    found = await one.desk.discover(request(cache_only=True, accept_stale=True), SIXTY)
    await one.renewals.finish()

    assert (found.tally.stale, found.tally.refreshing) == (True, False)
    assert one.till.tokens == 11
    with pytest.raises(Refusal, match="No answer"):
        await one.desk.discover(request(cache_only=True), Filter(max_results=61))


async def test_a_scored_search_that_is_stored_whole_is_given_with_its_old_scores(
    one: Replica,
) -> None:
    """The list and every score; the renewal scores again."""
    wanted = Filter(max_results=4)
    first = await one.desk.discover_scored(request(), wanted, Options(), least_rung=1)
    await one.execute(AGES)
    await one.execute(AGES_SCORES)

    stale = await one.desk.discover_scored(
        request(accept_stale=True), wanted, Options(), least_rung=1
    )
    await one.renewals.finish()
    after = await one.desk.discover_scored(request(), wanted, Options(), least_rung=1)

    assert (stale.tally.tokens, stale.tally.refreshing) == (0, True)
    assert {each.status for each in stale.appraisals} == {Status.STALE}
    assert [each.score for each in stale.appraisals] == [each.score for each in first.appraisals]
    assert (after.tally.tokens, after.tally.cache_hit, after.tally.stale) == (0, True, False)


async def test_scores_of_which_one_is_missing_are_no_stale_answer(one: Replica) -> None:
    """Part of an answer would be worse than a token."""
    async for _ in one.desk.score(request(), 1, [asin(0)], Options()):
        pass
    await one.execute(AGES_SCORES)

    parts = [
        part
        async for part in one.desk.score(
            request(accept_stale=True), 1, [asin(0), asin(1)], Options()
        )
    ]

    assert isinstance(parts[-1], Ended)
    assert (parts[-1].tally.tokens, parts[-1].tally.stale) == (1, False)


async def test_a_renewal_that_is_refused_leaves_the_old_answer(one: Replica) -> None:
    """Too few tokens in the background are nobody's error."""
    await one.desk.discover(request(), SIXTY)
    await one.execute(AGES)
    one.till.refusals = [refusal("INSUFFICIENT_TOKENS", 60)]

    await one.desk.discover(request(accept_stale=True), SIXTY)
    await one.renewals.finish()
    again = await one.desk.discover(request(accept_stale=True), SIXTY)

    assert again.tally.stale
    assert len(again.listing.asins) == 60
