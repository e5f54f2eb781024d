"""Schedules of the contract as domain values, and back."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import changes, specs, words
from services.autosourcing.domain.schedule import DecidedSlot, Schedule, next_start
from services.autosourcing.domain.spec import Spec
from services.chassis.errors import invalid_field
from services.chassis.rpc import times

_NEVER = datetime.min.replace(tzinfo=UTC)
_BLANK = Schedule(UUID(int=0), Spec(), (), _NEVER, _NEVER)

Setter = Callable[[Schedule, pb.Schedule], Schedule]


def new(request: pb.CreateScheduleRequest, caller: str) -> Schedule:
    """The schedule that is asked for; its id and its beginning are set when it is stored."""
    return replace(changes.made(_BLANK, request.schedule, _SETTERS, _SETTERS), caller=caller)


def change(request: pb.UpdateScheduleRequest) -> Callable[[Schedule], Schedule]:
    """The change that is asked for; without a mask, of every field that is not empty.

    Raises:
        Refusal: The mask names a part of a field, or takes the hours or the spec away.
    """
    given = request.schedule
    names = changes.asked(request, given, _SETTERS)
    if "hours" in names and not given.hours:
        raise invalid_field("schedule.hours", "must name at least one hour")
    if "spec" in names and not given.HasField("spec"):
        raise invalid_field("schedule.spec", "must say what its jobs look for")
    # What cannot be read is refused before anything is looked up.
    changes.made(_BLANK, given, names, _SETTERS)
    return lambda saved: changes.made(saved, given, names, _SETTERS)


def schedule(value: Schedule, now: datetime, slots: Sequence[DecidedSlot] = ()) -> pb.Schedule:
    """A schedule as callers see it at ``now``."""
    return pb.Schedule(
        name=f"schedules/{value.id}",
        display_name=value.display_name,
        spec=specs.asked_message(value.spec),
        hours=value.hours,
        time_zone=value.time_zone,
        paused=value.paused,
        pause_end_time=times.timestamp(value.pause_until),
        skip_dates=[day.isoformat() for day in value.skip_dates],
        next_slot_time=times.timestamp(next_start(value, now)),
        recent_slots=[_slot(each) for each in slots],
        caller=value.caller,
        create_time=times.timestamp(value.created_at),
        update_time=times.timestamp(value.updated_at),
        etag=value.etag,
        problem=value.problem,
    )


def _slot(value: DecidedSlot) -> pb.ScheduleSlot:
    place, decision = value.decision.slot, value.decision
    return pb.ScheduleSlot(
        date=place.date.isoformat(),
        hour=place.hour,
        outcome=pb.SlotOutcome.Value(f"SLOT_OUTCOME_{decision.outcome}"),
        reason=decision.reason,
        job=words.job_name(value.job_id) if value.job_id else "",
        slot_time=times.timestamp(place.at if place.exists else None),
        decide_time=times.timestamp(value.decided_at),
    )


def _time_zone(saved: Schedule, given: pb.Schedule) -> Schedule:
    return replace(saved, time_zone=words.zone(given.time_zone, "schedule.time_zone").key)


def _skip_dates(saved: Schedule, given: pb.Schedule) -> Schedule:
    days = {_day(place, each) for place, each in enumerate(given.skip_dates)}
    return replace(saved, skip_dates=tuple(sorted(days)))


def _day(place: int, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        field = f"schedule.skip_dates[{place}]"
        raise invalid_field(field, "is no day of the calendar") from None


_SETTERS: dict[str, Setter] = {
    "display_name": lambda saved, given: replace(saved, display_name=given.display_name),
    "spec": lambda saved, given: replace(saved, spec=specs.spec(given.spec, "schedule.spec")),
    "hours": lambda saved, given: replace(saved, hours=tuple(sorted(given.hours))),
    "time_zone": _time_zone,
    "paused": lambda saved, given: replace(saved, paused=given.paused),
    "pause_end_time": lambda saved, given: replace(
        saved, pause_until=words.instant(given, "pause_end_time")
    ),
    "skip_dates": _skip_dates,
}
