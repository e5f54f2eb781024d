"""Rows that cannot be read: the lists come all the same, and name them."""

from typing import Any

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from tests.integration.autosourcing.test_picks import mixed_job
from tests.integration.autosourcing.test_schedules import create

pytestmark = pytest.mark.anyio


async def damage(world: Any, table: str, name: str, column: str = "document") -> None:
    """Put a list where a document was; given back, so that other tests find the row whole."""
    await world.execute(
        f"update autosourcing.{table} set {column} = jsonb_build_array({column})"
        " where id::text = $1",
        name.partition("/")[2],
    )


async def mend(world: Any, table: str, name: str, column: str = "document") -> None:
    await world.execute(
        f"update autosourcing.{table} set {column} = {column} -> 0 where id::text = $1",
        name.partition("/")[2],
    )


async def all_pages(ask: Any, request: Any, field: str) -> tuple[list[str], list[str]]:
    """Names of what is listed, and of what cannot be read, page by page."""
    names: list[str] = []
    unreachable: list[str] = []
    while True:
        page = await ask(request)
        names += [each.name for each in getattr(page, field)]
        unreachable += page.unreachable
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return names, unreachable


async def test_one_damaged_schedule_hides_no_other(
    world: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A8: who looks whether the night's run is planned must not get an error for somebody's row."""
    first, bad, last = [(await create(world, paused=True)).name for _ in range(3)]
    await damage(world, "schedules", bad)

    whole = await all_pages(world.stub.ListSchedules, pb.ListSchedulesRequest(), "schedules")
    paged = await all_pages(
        world.stub.ListSchedules, pb.ListSchedulesRequest(page_size=1), "schedules"
    )

    assert whole == paged == ([last, first], [bad])
    assert bad in capsys.readouterr().err
    kept = await world.execute("select jsonb_typeof(document) as form from autosourcing.schedules")
    assert [row["form"] for row in kept].count("array") == 1


async def test_one_damaged_profile_hides_no_other(world: Any) -> None:
    bad = "profiles/electronics-opportunity"
    before, _ = await all_pages(world.stub.ListProfiles, pb.ListProfilesRequest(), "profiles")
    await damage(world, "profiles", bad)

    listed = await all_pages(
        world.stub.ListProfiles, pb.ListProfilesRequest(page_size=1), "profiles"
    )

    await mend(world, "profiles", bad)
    assert listed == ([name for name in before if name != bad], [bad])


async def test_one_damaged_job_hides_no_other(world: Any) -> None:
    """A5: the job before it and the job behind it are on their pages."""
    jobs = [await mixed_job(world) for _ in range(3)]
    names = [job.name for job in reversed(jobs)]
    await damage(world, "jobs", names[1])

    listed, unreachable = await all_pages(
        world.stub.ListJobs, pb.ListJobsRequest(page_size=1), "jobs"
    )

    await mend(world, "jobs", names[1])
    assert listed[:2] == [names[0], names[2]]
    assert unreachable == [names[1]]


@pytest.mark.parametrize("damaged", ["finding", "tier"])
async def test_one_damaged_pick_hides_no_other(world: Any, damaged: str) -> None:
    """A11: lists, files and the day's review have all the others, and say which one they lack."""
    job = await mixed_job(world)
    names = [pick.name for pick in await world.picks(job.name)]
    if damaged == "finding":
        await damage(world, "picks", names[0], "finding")
    else:
        odd = "update autosourcing.picks set tier = 'ODD' where id = $1::text::uuid"
        await world.execute(odd, names[0].removeprefix("picks/"))

    listed = await all_pages(
        world.stub.ListPicks, pb.ListPicksRequest(job=job.name, page_size=1), "picks"
    )
    exported = pb.ExportPicksRequest(job=job.name, format=pb.EXPORT_FORMAT_JSON_LINES)
    pieces = [piece.content async for piece in world.stub.ExportPicks(exported)]
    day = await world.stub.GetDailyReview(pb.GetDailyReviewRequest(page_size=1000))
    best = await world.stub.GetOpportunityOfTheDay(pb.GetOpportunityOfTheDayRequest())

    await world.execute("delete from autosourcing.picks")
    assert listed == (names[1:], names[:1])
    assert len(b"".join(pieces).splitlines()) == len(names) - 1
    reviewed = {each.pick.name for each in day.picks}
    assert (set(names[1:]) <= reviewed, names[0] in reviewed) == (True, False)
    assert list(day.unreachable) == names[:1]
    assert best.opportunity.pick.name in reviewed
