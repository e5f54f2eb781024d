"""Schedules of the contract as domain values: new ones, and changes of saved ones."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import requests, requests_masks, requests_specs
from services.autosourcing.domain.schedule import Schedule
from services.autosourcing.domain.spec import Spec
from services.chassis.errors import invalid_field

_NEVER = datetime.min.replace(tzinfo=UTC)
_BLANK = Schedule(UUID(int=0), Spec(), (), _NEVER, _NEVER)

Setter = Callable[[Schedule, pb.Schedule], Schedule]


def new(request: pb.CreateScheduleRequest, caller: str) -> Schedule:
    """The schedule that is asked for; its id and its beginning are set when it is stored."""
    return replace(requests_masks.made(_BLANK, request.schedule, _SETTERS, _SETTERS), caller=caller)


def change(request: pb.UpdateScheduleRequest) -> Callable[[Schedule], Schedule]:
    """The change that is asked for; without a mask, of every field that is not empty.

    Raises:
        Refusal: The mask names a part of a field, or takes the hours or the spec away.
    """
    given = request.schedule
    names = requests_masks.named(request, given, _SETTERS)
    if "hours" in names and not given.hours:
        raise invalid_field("schedule.hours", "must name at least one hour")
    if "spec" in names and not given.HasField("spec"):
        raise invalid_field("schedule.spec", "must say what its jobs look for")
    # What cannot be read is refused before anything is looked up.
    requests_masks.made(_BLANK, given, names, _SETTERS)
    return lambda saved: requests_masks.made(saved, given, names, _SETTERS)


def _time_zone(saved: Schedule, given: pb.Schedule) -> Schedule:
    return replace(saved, time_zone=requests.zone(given.time_zone, "schedule.time_zone").key)


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
    "spec": lambda saved, given: replace(
        saved, spec=requests_specs.spec(given.spec, "schedule.spec")
    ),
    "hours": lambda saved, given: replace(saved, hours=tuple(sorted(given.hours))),
    "time_zone": _time_zone,
    "paused": lambda saved, given: replace(saved, paused=given.paused),
    "pause_end_time": lambda saved, given: replace(
        saved, pause_until=requests.instant(given, "pause_end_time")
    ),
    "skip_dates": _skip_dates,
}
