"""Schedules as people keep them and as replicas run them, on the real database."""

# ruff: noqa: ASYNC110 - that a slot is decided is seen by reading it

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.budget.v1 import budget_pb2 as budget_pb
from google.protobuf.field_mask_pb2 import FieldMask

from services.autosourcing.settings import Settings
from services.chassis.testing.refused import refusal

pytestmark = pytest.mark.anyio
EVERY_HOUR = list(range(24))


def creation(**values: Any) -> pb.CreateScheduleRequest:
    values = {
        "display_name": "Every morning",
        "spec": pb.JobSpec(profile="profiles/niche-explorer", include_recently_seen=True),
        "hours": [8, 7],
        "time_zone": "Europe/Paris",
        **values,
    }
    return pb.CreateScheduleRequest(request_id=str(uuid4()), schedule=pb.Schedule(**values))


def update(schedule: pb.Schedule, *mask: str) -> pb.UpdateScheduleRequest:
    return pb.UpdateScheduleRequest(
        request_id=str(uuid4()),
        schedule=schedule,
        update_mask=FieldMask(paths=mask) if mask else None,
    )


def deletion(schedule: pb.Schedule, etag: str = "") -> pb.DeleteScheduleRequest:
    return pb.DeleteScheduleRequest(request_id=str(uuid4()), name=schedule.name, etag=etag)


async def create(world: Any, **values: Any) -> pb.Schedule:
    found: pb.Schedule = (await world.stub.CreateSchedule(creation(**values))).schedule
    return found


async def read(world: Any, name: str) -> pb.Schedule:
    found: pb.Schedule = (await world.stub.GetSchedule(pb.GetScheduleRequest(name=name))).schedule
    return found


async def come_now(world: Any, schedule: pb.Schedule, *, minutes: int = 0) -> None:
    """Let one of its slots come now, or have come so long ago."""
    await world.execute(
        """insert into autosourcing.slots values ($1::text::uuid, $2, 3,
           clock_timestamp() - make_interval(mins => $3), true, 'STARTING', '', null,
           clock_timestamp(), clock_timestamp())""",
        schedule.name.removeprefix("schedules/"),
        datetime(2026, 1, 5, tzinfo=UTC).date(),
        minutes,
    )


async def slots(world: Any, name: str, count: int) -> list[pb.ScheduleSlot]:
    """Wait until so many slots are decided."""
    async with asyncio.timeout(20):
        while len(found := (await read(world, name)).recent_slots) < count:
            await asyncio.sleep(0.05)
    return list(found)


async def test_a_schedule_lives_from_its_making_to_its_end(world: Any) -> None:
    """A8: made, read, listed, changed, paused, deleted, gone."""
    asked = creation(skip_dates=["2026-12-25", "2026-12-24"])
    made = (await world.stub.CreateSchedule(asked)).schedule
    again = (await world.stub.CreateSchedule(asked)).schedule

    assert again == made
    assert list(made.hours) == [7, 8]
    assert list(made.skip_dates) == ["2026-12-24", "2026-12-25"]
    assert made.spec.profile == "profiles/niche-explorer"
    assert made.HasField("next_slot_time")
    assert (await read(world, made.name)).name == made.name
    listed = await world.stub.ListSchedules(pb.ListSchedulesRequest(page_size=1))
    assert [each.name for each in listed.schedules] == [made.name]

    paused = (
        await world.stub.UpdateSchedule(
            update(pb.Schedule(name=made.name, etag=made.etag, paused=True))
        )
    ).schedule
    assert paused.paused
    assert not paused.HasField("next_slot_time")
    assert list(paused.hours) == [7, 8]
    resumed = (
        await world.stub.UpdateSchedule(update(pb.Schedule(name=made.name), "paused"))
    ).schedule
    assert not resumed.paused

    gone = deletion(made, resumed.etag)
    await world.stub.DeleteSchedule(gone)
    await world.stub.DeleteSchedule(gone)
    assert (await refusal(read(world, made.name))).reason == "SCHEDULE_NOT_FOUND"


async def test_a_list_of_schedules_has_pages(world: Any) -> None:
    made = [(await create(world)).name for _ in range(3)]
    first = await world.stub.ListSchedules(pb.ListSchedulesRequest(page_size=2))
    rest = await world.stub.ListSchedules(
        pb.ListSchedulesRequest(page_size=2, page_token=first.next_page_token)
    )

    named = [each.name for each in (*first.schedules, *rest.schedules)]
    assert named[:3] == made[::-1]
    for name in made:
        await world.stub.DeleteSchedule(deletion(pb.Schedule(name=name)))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"time_zone": "Europe/Nowhere"}, "schedule.time_zone"),
        ({"time_zone": "../etc/passwd"}, "schedule.time_zone"),
        ({"hours": []}, "schedule.hours"),
        ({"hours": [24]}, "schedule.hours[0]"),
        ({"skip_dates": ["2026-12-24", "2026-02-30"]}, "schedule.skip_dates[1]"),
        ({"spec": pb.JobSpec()}, "schedule.spec"),
        ({"spec": None}, "schedule.spec"),
        (
            {"spec": pb.JobSpec(identifiers=[pb.Identifier(value="not an isbn")])},
            "schedule.spec.identifiers[0].value",
        ),
    ],
)
async def test_a_schedule_that_could_start_nothing_is_refused(
    world: Any, values: dict[str, Any], field: str
) -> None:
    """A13: a clear refusal now, and not a night without a run."""
    refused = await refusal(world.stub.CreateSchedule(creation(**values)))

    assert refused.reason == "INVALID_FIELD"
    assert [violation.field for violation in refused.violations] == [field]


async def test_a_profile_that_a_schedule_names_stays(world: Any) -> None:
    """Else the next run would find nothing to look for."""
    profile = (
        await world.stub.CreateProfile(
            pb.CreateProfileRequest(
                request_id=str(uuid4()), profile=pb.Profile(display_name=f"Used {uuid4()}")
            )
        )
    ).profile
    unknown = await refusal(
        world.stub.CreateSchedule(creation(spec=pb.JobSpec(profile="profiles/none")))
    )
    made = await create(world, spec=pb.JobSpec(profile=profile.name))
    remove = pb.DeleteProfileRequest(request_id=str(uuid4()), name=profile.name)

    refused = await refusal(world.stub.DeleteProfile(remove))
    await world.stub.DeleteSchedule(deletion(made))
    await world.stub.DeleteProfile(remove)

    assert unknown.reason == "PROFILE_NOT_FOUND"
    assert (refused.reason, dict(refused.facts)) == ("PROFILE_IN_USE", {"schedule": made.name})


async def test_a_change_of_what_was_not_read_is_refused(world: Any) -> None:
    made = await create(world)
    await world.stub.UpdateSchedule(update(pb.Schedule(name=made.name, hours=[9])))

    stale = pb.Schedule(name=made.name, etag=made.etag, hours=[10])
    refused = await refusal(world.stub.UpdateSchedule(update(stale)))
    gone = await refusal(world.stub.DeleteSchedule(deletion(made, made.etag)))
    empty = await refusal(world.stub.UpdateSchedule(update(pb.Schedule(name=made.name), "hours")))

    assert (refused.reason, gone.reason) == ("ETAG_MISMATCH", "ETAG_MISMATCH")
    assert empty.reason == "INVALID_FIELD"
    assert list((await read(world, made.name)).hours) == [9]


async def test_a_slot_starts_one_job_in_the_background(world: Any) -> None:
    """A8: its job waits behind everybody who looks on, and leaves the floor of 50."""
    made = await create(world)
    await come_now(world, made)

    (slot,) = await slots(world, made.name, 1)

    assert slot.outcome == pb.SLOT_OUTCOME_STARTED
    job = await world.ended(slot.job)
    assert job.state == pb.JOB_STATE_COMPLETED
    (asked,) = world.budget.asked
    assert asked.priority == budget_pb.PRIORITY_BACKGROUND
    assert asked.gate_token_count == job.estimated_token_count + 50


async def test_two_replicas_start_a_slot_once(
    world: Any,
    broker: str,
    service_database: Callable[[str], str],
    running_service: Callable[[Settings], Any],
) -> None:
    """Design 6.6: unique across replicas, whoever comes first."""
    settings = Settings(
        port=0,
        database_url=service_database("autosourcing"),
        nats_url=broker,
        budget_target=world.peers,
        discovery_target=world.peers,
    )
    async with running_service(settings):
        made = [await create(world) for _ in range(4)]
        for each in made:
            await come_now(world, each)
        found = [(await slots(world, each.name, 1))[0] for each in made]

    assert all(slot.outcome == pb.SLOT_OUTCOME_STARTED for slot in found)
    assert len({slot.job for slot in found}) == 4
    assert len(world.budget.held_for(*(slot.job for slot in found))) == 4


async def test_a_slot_whose_starter_died_is_started_by_its_own_id(world: Any) -> None:
    """A8, A5: the job was made and its slot not marked; it is found, and not made again."""
    made = await create(world)
    await come_now(world, made)
    (first,) = await slots(world, made.name, 1)
    await world.execute(
        """update autosourcing.slots set outcome = 'STARTING', job_id = null,
           attend_at = clock_timestamp(), slot_at = clock_timestamp() - interval '1 hour'
           where job_id = $1::text::uuid""",
        first.job.removeprefix("jobs/"),
    )

    (again,) = await slots(world, made.name, 1)

    assert (again.outcome, again.job) == (pb.SLOT_OUTCOME_STARTED, first.job)
    assert len(world.budget.held_for(first.job)) == 1


async def test_a_slot_that_is_refused_says_why(world: Any) -> None:
    """Design 6.6: SKIPPED with its reason, and nothing is left behind."""
    world.budget.available = 20
    made = await create(world)
    await come_now(world, made)

    (slot,) = await slots(world, made.name, 1)

    assert slot.outcome == pb.SLOT_OUTCOME_SKIPPED
    assert slot.reason.startswith("INSUFFICIENT_TOKENS: ")
    assert not slot.job


async def test_a_slot_waits_for_a_budget_that_is_away(world: Any) -> None:
    """A restart of budget at seven must not cost the morning's run."""
    world.budget.broken = True
    made = await create(world)
    await come_now(world, made)
    async with asyncio.timeout(20):
        while not (
            rows := await world.execute(
                "select * from autosourcing.slots where reason <> '' and outcome = 'STARTING'"
            )
        ):
            await asyncio.sleep(0.05)
    world.budget.broken = False
    await world.execute(
        "update autosourcing.slots set attend_at = now() where outcome = 'STARTING'"
    )

    (slot,) = await slots(world, made.name, 1)

    assert rows[0]["reason"].startswith("STORAGE_UNAVAILABLE: ")
    assert (slot.outcome, slot.reason) == (pb.SLOT_OUTCOME_STARTED, "")


async def test_a_slot_that_comes_too_late_is_reported_and_not_run(world: Any) -> None:
    """A8: a missed run is reported, not silently run twice."""
    made = await create(world)
    await come_now(world, made, minutes=11)

    (slot,) = await slots(world, made.name, 1)

    assert slot.outcome == pb.SLOT_OUTCOME_SKIPPED
    assert "minutes late" in slot.reason
    assert not world.budget.asked


async def test_slots_that_nobody_looked_at_are_told_after_a_restart(world: Any) -> None:
    """A8: every hour of the night without a process is in the list, each once."""
    made = await create(world, hours=EVERY_HOUR, time_zone="UTC", paused=True)
    begun = datetime.now(UTC) - timedelta(hours=30)
    await world.execute(
        """update autosourcing.schedules set look_at = $2,
           document = jsonb_set(document, '{looked_until}', to_jsonb($2::timestamptz))
           where id = $1::text::uuid""",
        made.name.removeprefix("schedules/"),
        begun,
    )

    found = await slots(world, made.name, 30)

    assert len({(slot.date, slot.hour) for slot in found}) == len(found) == 30
    assert {slot.reason for slot in found} == {"The schedule is paused"}
    times = [slot.slot_time.ToDatetime(tzinfo=UTC) for slot in found]
    assert times == sorted(times, reverse=True)


async def test_a_schedule_that_cannot_be_told_stops_no_other(world: Any) -> None:
    """A8: one with a zone that was removed, or of a newer version, had kept all from starting."""
    lost, newer, sound = [await create(world, hours=[0], paused=True) for _ in range(3)]
    due = """update autosourcing.schedules set look_at = clock_timestamp() - interval '2 days',
        document = jsonb_set(jsonb_set(document, '{looked_until}',
            to_jsonb(clock_timestamp() - interval '2 days')), $2, to_jsonb($3::text))
        where id = $1::text::uuid"""
    for schedule, field, value in (
        (lost, "time_zone", "Mars/Olympus"),
        (newer, "hours", "whenever"),
        (sound, "time_zone", "UTC"),
    ):
        await world.execute(due, schedule.name.removeprefix("schedules/"), [field], value)

    decided = await slots(world, sound.name, 1)
    async with asyncio.timeout(20):
        while not (found := await read(world, lost.name)).problem:
            await asyncio.sleep(0.05)
    mended = update(pb.Schedule(name=lost.name, time_zone="Asia/Tokyo"))
    await world.stub.UpdateSchedule(mended)
    missed = await slots(world, lost.name, 1)

    assert {slot.reason for slot in (*decided, *missed)} == {"The schedule is paused"}
    assert "Mars/Olympus" in found.problem
    assert not (await read(world, lost.name)).problem


async def test_a_deleted_schedule_starts_nothing(world: Any) -> None:
    made = await create(world)
    await world.stub.DeleteSchedule(deletion(made))

    left = await world.execute(
        "select * from autosourcing.slots where schedule_id = $1::text::uuid",
        made.name.removeprefix("schedules/"),
    )

    assert not left
    again = await refusal(world.stub.DeleteSchedule(deletion(made)))
    assert again.reason == "SCHEDULE_NOT_FOUND"
