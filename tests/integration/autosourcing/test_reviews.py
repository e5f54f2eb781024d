"""A day's review over the wire, on the real database."""

from typing import Any

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.chassis.testing.refused import refusal

pytestmark = pytest.mark.anyio


async def two_jobs(world: Any) -> pb.Job:
    """The same six products, of which a job found three two days ago already."""
    world.discovery.found = tuple(f"B{number:09d}" for number in range(6))
    await world.ended((await world.create()).name)
    await world.execute("delete from autosourcing.picks where asin >= 'B000000003'")
    await world.execute("update autosourcing.picks set created_at = now() - interval '2 days'")
    return await world.ended((await world.create()).name)


async def test_a_day_is_reviewed_class_by_class(world: Any) -> None:
    """A8: three come again after two days, three are new; page by page as in one piece."""
    await world.execute("delete from autosourcing.picks")
    job = await two_jobs(world)
    request = pb.GetDailyReviewRequest(page_size=2)

    listed: list[pb.ReviewedPick] = []
    while True:
        page = await world.stub.GetDailyReview(request)
        listed += page.picks
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    only = await world.stub.GetDailyReview(
        pb.GetDailyReviewRequest(review_class=pb.REVIEW_CLASS_OTHER)
    )
    best = await world.stub.GetOpportunityOfTheDay(pb.GetOpportunityOfTheDayRequest())

    counts = {each.review_class: each.pick_count for each in page.classes if each.pick_count}
    assert counts == {pb.REVIEW_CLASS_REVENANT: 3, pb.REVIEW_CLASS_OTHER: 3}
    assert [each.review_class for each in listed] == sorted(each.review_class for each in listed)
    assert {each.pick.job for each in listed} == {job.name}
    assert [each.sighting_count for each in listed] == [2, 2, 2, 1, 1, 1]
    assert listed[0].previous_sighting_time == listed[0].first_sighting_time
    assert not listed[3].HasField("previous_sighting_time")
    assert list(only.picks) == listed[3:]
    assert best.opportunity == listed[0]
    assert "Found again after 48 hours" in best.message


async def test_a_day_without_picks_says_so(world: Any) -> None:
    """A13: an empty day is an answer and no failure; a forged token is a refusal."""
    empty = pb.GetOpportunityOfTheDayRequest(date="2001-01-01", time_zone="Europe/Paris")
    forged = pb.GetDailyReviewRequest(page_token="nonsense")

    answer = await world.stub.GetOpportunityOfTheDay(empty)
    day = await world.stub.GetDailyReview(pb.GetDailyReviewRequest(date="2001-01-01"))

    assert not answer.HasField("opportunity")
    assert answer.message == "No picks were found on 2001-01-01"
    assert (len(day.picks), [each.pick_count for each in day.classes]) == (0, [0] * 6)
    assert (await refusal(world.stub.GetDailyReview(forged))).reason == "INVALID_FIELD"
