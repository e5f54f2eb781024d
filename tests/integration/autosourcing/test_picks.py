"""Picks as people use them: lists, decisions, files; and profiles and statistics."""

import csv
import io
import json
import re
import zipfile
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.autosourcing.v1 import events_pb2 as events
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb
from arbitragevault.discovery.v1 import events_pb2 as discovery_events

from services.chassis.testing.refused import refusal

pytestmark = pytest.mark.anyio


async def finished(world: Any, **spec: Any) -> pb.Job:
    created = await world.create(**spec)
    return await world.ended(created.name)


async def mixed_job(world: Any) -> pb.Job:
    """A job with priced picks of different worth, a target pick, and one that is none."""

    def mixed(event: Any) -> Any:
        if not isinstance(event, events.ScoringRequested):
            return world.discovery.usual(event)
        answer = world.discovery.scored(event)
        for index, each in enumerate(answer.scores):
            each.roi_percent = 40 + index
        if len(answer.scores) == 5:
            answer.scores[0].buy_basis = discovery_pb.BUY_BASIS_ASSUMED
            answer.scores[1].recommendation = discovery_pb.RECOMMENDATION_SKIP
            answer.scores[1].summary = "Amazon sells it"
        return [answer]

    world.discovery.answer = mixed
    world.discovery.found = tuple(f"B{number:09d}" for number in range(8))
    return await finished(world)


async def test_picks_are_listed_best_first_and_targets_last(world: Any) -> None:
    """A11, page by page as in one piece."""
    job = await mixed_job(world)
    whole = await world.picks(job.name)

    paged, token = [], ""
    while True:
        request = pb.ListPicksRequest(job=job.name, page_size=2, page_token=token)
        page = await world.stub.ListPicks(request)
        paged += page.picks
        token = page.next_page_token
        if not token:
            break

    assert [pick.name for pick in paged] == [pick.name for pick in whole]
    assert [pick.kind for pick in whole[:-1]] == [pb.PICK_KIND_PRICED] * (len(whole) - 1)
    assert whole[-1].kind == pb.PICK_KIND_TARGET
    assert whole[-1].reason.startswith("Buy at or below 16.19 USD")
    rois = [pick.score.roi_percent for pick in whole[:-1]]
    assert rois == sorted(rois, reverse=True)
    skipped = [p for p in job.products if p.outcome == pb.PRODUCT_OUTCOME_PASSED_OVER]
    assert [product.reason for product in skipped] == ["Amazon sells it"]


async def test_a_page_token_belongs_to_its_question(world: Any) -> None:
    job = await mixed_job(world)
    page = await world.stub.ListPicks(pb.ListPicksRequest(job=job.name, page_size=2))

    other = pb.ListPicksRequest(page_size=2, page_token=page.next_page_token)
    broken = pb.ListPicksRequest(job=job.name, page_token="nonsense")

    assert (await refusal(world.stub.ListPicks(other))).reason == "INVALID_FIELD"
    assert (await refusal(world.stub.ListPicks(broken))).reason == "INVALID_FIELD"


async def test_a_decision_about_a_pick_is_kept(world: Any) -> None:
    """A6: an action and notes, and the list can be filtered by them."""
    job = await finished(world)
    pick = (await world.picks(job.name))[3]

    answer = await world.stub.UpdatePick(
        pb.UpdatePickRequest(
            request_id=str(uuid4()),
            name=pick.name,
            action=pb.PICK_ACTION_TO_BUY,
            notes="two copies",
            etag=pick.etag,
        )
    )
    wanted = await world.stub.ListPicks(
        pb.ListPicksRequest(job=job.name, action=pb.PICK_ACTION_TO_BUY)
    )

    assert answer.pick.notes == "two copies"
    assert answer.pick.etag != pick.etag
    assert [each.name for each in wanted.picks] == [pick.name]


async def test_a_decision_repeated_gives_the_first_answer(world: Any) -> None:
    job = await finished(world)
    pick = (await world.picks(job.name))[0]
    request = pb.UpdatePickRequest(
        request_id=str(uuid4()), name=pick.name, action=pb.PICK_ACTION_FAVORITE, etag=pick.etag
    )

    first = await world.stub.UpdatePick(request)
    again = await world.stub.UpdatePick(request)
    request.notes = "other content"

    assert again == first
    assert (await refusal(world.stub.UpdatePick(request))).reason == "REQUEST_ID_REUSED"


async def test_a_decision_over_an_older_state_is_refused(world: Any) -> None:
    """Two people decide at once: the second is told, and nothing is overwritten."""
    job = await finished(world)
    pick = (await world.picks(job.name))[0]

    def decide(action: int) -> Any:
        return world.stub.UpdatePick(
            pb.UpdatePickRequest(
                request_id=str(uuid4()), name=pick.name, action=action, etag=pick.etag
            )
        )

    await decide(pb.PICK_ACTION_TO_BUY)
    refused = await refusal(decide(pb.PICK_ACTION_IGNORED))

    assert refused.reason == "ETAG_MISMATCH"
    assert (await world.picks(job.name))[0].action == pb.PICK_ACTION_TO_BUY


async def test_a_pick_that_never_was_is_not_found(world: Any) -> None:
    request = pb.UpdatePickRequest(
        request_id=str(uuid4()), name=f"picks/{uuid4()}", action=pb.PICK_ACTION_TO_BUY
    )

    assert (await refusal(world.stub.UpdatePick(request))).reason == "PICK_NOT_FOUND"


async def test_picks_of_a_job_that_never_was_are_refused(world: Any) -> None:
    """A13: an empty list or file would say that the job found nothing."""
    name, empty = f"jobs/{uuid4()}", pb.EXPORT_FORMAT_CSV

    listed = await refusal(world.stub.ListPicks(pb.ListPicksRequest(job=name)))
    file = world.stub.ExportPicks(pb.ExportPicksRequest(job=name, format=empty))

    assert (listed.reason, listed.resource) == ("JOB_NOT_FOUND", ("job", name))
    assert (await refusal(file.read())).reason == "JOB_NOT_FOUND"


async def exported(world: Any, job: str, chosen: int) -> tuple[bytes, pb.ExportPicksResponse]:
    request = pb.ExportPicksRequest(job=job, format=chosen)
    pieces = [piece async for piece in world.stub.ExportPicks(request)]
    assert all(len(piece.content) <= 64 * 1024 for piece in pieces)
    return b"".join(piece.content for piece in pieces), pieces[0]


async def test_picks_leave_as_csv(world: Any) -> None:
    """A9: the file opens in a spreadsheet, in listing order."""
    job = await mixed_job(world)

    content, first = await exported(world, job.name, pb.EXPORT_FORMAT_CSV)

    assert first.content_type == "text/csv; charset=utf-8"
    assert first.file_name.endswith(".csv")
    assert content.startswith(b"\xef\xbb\xbf")
    lines = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    listed = await world.picks(job.name)
    assert [line["asin"] for line in lines] == [pick.score.asin for pick in listed]
    assert lines[0]["sell_price"] == "42.00"


async def test_picks_leave_as_json_lines(world: Any) -> None:
    job = await mixed_job(world)

    content, first = await exported(world, job.name, pb.EXPORT_FORMAT_JSON_LINES)

    assert first.content_type.startswith("application/jsonl")
    objects = [json.loads(line) for line in content.decode().splitlines()]
    assert [one["kind"] for one in objects][-1] == "TARGET"


async def test_picks_leave_as_a_workbook(world: Any) -> None:
    """A9: Excel opens it, in listing order."""
    job = await mixed_job(world)

    content, first = await exported(world, job.name, pb.EXPORT_FORMAT_XLSX)

    assert first.content_type.endswith("spreadsheetml.sheet")
    assert first.file_name.endswith(".xlsx")
    sheet = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    listed = await world.picks(job.name)
    assert re.findall(r"<t>(B\d{9})</t>", sheet) == [pick.score.asin for pick in listed]


async def test_the_three_profiles_are_there(world: Any) -> None:
    """A8, requirements.md section 7."""
    answer = await world.stub.ListProfiles(pb.ListProfilesRequest())

    told = {
        profile.display_name: (
            profile.filter.rank_range.minimum,
            profile.filter.rank_range.maximum,
            profile.filter.price_range.minimum_cents,
            profile.filter.price_range.maximum_cents,
            profile.minimum_roi_percent,
            profile.minimum_velocity_score,
            profile.minimum_stability_score,
            profile.minimum_confidence_score,
            profile.max_picks,
        )
        for profile in answer.profiles
    }
    assert told == {
        "Textbooks Conservateur": (1000, 25_000, 3000, 30_000, 40, 70, 80, 75, 15),
        "Electronics Opportunity": (500, 50_000, 2000, 20_000, 25, 80, 60, 70, 25),
        "Niche Explorer": (5000, 100_000, 4000, 50_000, 35, 60, 85, 80, 10),
    }


async def test_every_default_profile_is_within_the_limit_of_a_job(world: Any) -> None:
    """A profile that is always refused would be of no use."""
    answer = await world.stub.ListProfiles(pb.ListProfilesRequest())

    for profile in answer.profiles:
        request = pb.EstimateJobRequest(spec=pb.JobSpec(profile=profile.name))
        estimate = await world.stub.EstimateJob(request)
        assert estimate.safe_to_proceed, profile.name


async def test_a_job_of_a_profile_searches_and_judges_as_it_says(world: Any) -> None:
    job = await finished(world, profile="profiles/niche-explorer", include_recently_seen=True)

    asked = world.discovery.of(events.DiscoveryRequested, job.name)[0]

    assert asked.filter.rank_range.maximum == 100_000
    assert asked.filter.max_results == 100
    assert job.spec.minimum_roi_percent == 35
    assert job.pick_count == 0  # Its stability of 85 is above what every product here has.
    assert "Stability 80.00 is below the 85.00 asked for" in job.products[0].reason


async def test_a_profile_that_never_was_is_not_found(world: Any) -> None:
    get = world.stub.GetProfile(pb.GetProfileRequest(name="profiles/none"))
    create = world.create(profile="profiles/none")

    assert (await refusal(get)).reason == "PROFILE_NOT_FOUND"
    assert (await refusal(create)).reason == "PROFILE_NOT_FOUND"


async def test_jobs_are_listed_newest_first(world: Any) -> None:
    names = [(await finished(world)).name for _ in range(3)]

    first = await world.stub.ListJobs(pb.ListJobsRequest(page_size=2))
    rest = await world.stub.ListJobs(
        pb.ListJobsRequest(page_size=2, page_token=first.next_page_token)
    )

    assert [job.name for job in first.jobs] == [names[2], names[1]]
    assert rest.jobs[0].name == names[0]
    assert not first.jobs[0].products


async def test_statistics_add_up(world: Any) -> None:
    """A8: tokens per pick is the number a reseller pays for."""
    before = await world.stub.GetJobStats(pb.GetJobStatsRequest())
    created = await world.create()
    world.budget.costs[created.envelope] = (20, 0)
    await world.ended(created.name)

    after = await world.stub.GetJobStats(pb.GetJobStatsRequest())

    assert after.job_count == before.job_count + 1
    assert after.token_count == before.token_count + 20
    assert after.pick_count == before.pick_count + 10
    assert after.HasField("mean_duration")


async def test_an_estimate_says_whether_and_when_a_job_may_start(world: Any) -> None:
    """A2."""
    request = pb.EstimateJobRequest(spec=pb.JobSpec(filter=discovery_pb.DiscoveryFilter()))
    open_gate = await world.stub.EstimateJob(request)
    world.budget.available = 30
    closed = await world.stub.EstimateJob(request)

    assert open_gate.safe_to_proceed
    assert (open_gate.estimated_token_count, open_gate.max_token_count) == (21, 200)
    assert not closed.safe_to_proceed
    assert (closed.required_token_count, closed.balance_token_count) == (50, 30)
    assert closed.deficit_token_count == 20
    assert "20 missing" in closed.warning


async def test_an_estimate_above_the_limit_is_told_and_not_refused(world: Any) -> None:
    spec = pb.JobSpec(filter=discovery_pb.DiscoveryFilter(), max_products=500)

    estimate = await world.stub.EstimateJob(pb.EstimateJobRequest(spec=spec))

    assert not estimate.safe_to_proceed
    assert estimate.suggestion == "Reduce max_results or narrow filters"


async def test_products_keepa_does_not_know_or_lost_are_told_apart(world: Any) -> None:
    """A10: every product of a job has an outcome and a reason."""

    def partly(event: Any) -> Any:
        if not isinstance(event, events.ScoringRequested):
            return world.discovery.usual(event)
        one, two = event.asins[:2]
        answer = world.discovery.scored(event)
        del answer.scores[:2]
        answer.missing_asins.append(one)
        answer.unknown_asins.append(two)
        return [answer]

    world.discovery.answer = partly
    world.discovery.found = world.discovery.found[:5]
    job = await finished(world)

    assert job.state == pb.JOB_STATE_COMPLETED
    assert (job.analyzed_count, job.unknown_count, job.pick_count) == (4, 1, 3)
    outcomes = {product.outcome for product in job.products}
    assert pb.PRODUCT_OUTCOME_NOT_FOUND in outcomes
    assert pb.PRODUCT_OUTCOME_UNKNOWN in outcomes


async def test_a_failed_scoring_keeps_the_picks_before_it(world: Any) -> None:
    """A6: the second batch fails, the first batch's picks stay."""

    def second_fails(event: Any) -> Any:
        scorings = len(world.discovery.of(events.ScoringRequested, getattr(event, "job", "")))
        if isinstance(event, events.ScoringRequested) and scorings == 2:
            info = discovery_pb.SearchInfo(stop_reason=discovery_pb.STOP_REASON_FAULT)
            return [discovery_events.ScoringFailed(job=event.job, step_id=event.step_id, info=info)]
        return world.discovery.usual(event)

    world.discovery.answer = second_fails
    job = await finished(world)

    assert job.state == pb.JOB_STATE_FAILED
    assert len(await world.picks(job.name)) == 5
