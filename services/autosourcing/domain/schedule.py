"""A schedule as a value, and what it makes of each of its slots."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from services.autosourcing.domain import calendar
from services.autosourcing.domain.calendar import Slot
from services.autosourcing.domain.spec import Spec

LATEST = timedelta(minutes=10)
"""How late a slot may still start its job."""

AGAIN = timedelta(hours=1)
"""How long a schedule with a problem is left alone; new zone data may have mended it then."""

_WEEK = timedelta(days=7)
_YEAR = timedelta(days=366)
_LAST_YEAR = 9990


class SlotOutcome(StrEnum):
    """What became of a slot; the first is not decided yet."""

    STARTING = "STARTING"
    STARTED = "STARTED"
    SKIPPED = "SKIPPED"
    MISSED = "MISSED"


@dataclass(frozen=True)
class Schedule:
    """Hours of local days at which a job starts by itself.

    Attributes:
        hours: Of the day, 0 to 23, in order, each once; never empty.
        pause_until: Slots before it are skipped; None: none is held back.
        skip_dates: Local dates on which nothing starts.
        looked_until: Every slot up to this instant has been decided.
        problem: Why its slots cannot be told, and what mends it; empty when they can.
        again_at: When that is looked at again; None without a problem.
    """

    id: UUID
    spec: Spec
    hours: tuple[int, ...]
    created_at: datetime
    looked_until: datetime
    display_name: str = ""
    time_zone: str = "UTC"
    paused: bool = False
    pause_until: datetime | None = None
    skip_dates: tuple[date, ...] = ()
    caller: str = ""
    revision: int = 1
    updated_at: datetime | None = None
    problem: str = ""
    again_at: datetime | None = None

    @property
    def etag(self) -> str:
        """Changes with every update of a person."""
        return str(self.revision)

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone that its hours and dates are of; None when it is not known any more."""
        return calendar.known_zone(self.time_zone)


@dataclass(frozen=True)
class Decision:
    """What became of a slot, and why when it starts no job."""

    slot: Slot
    outcome: SlotOutcome
    reason: str = ""


@dataclass(frozen=True)
class DecidedSlot:
    """A slot as it is remembered."""

    schedule_id: UUID
    decision: Decision
    decided_at: datetime
    job_id: UUID | None = None


def slot_request_id(schedule_id: UUID, slot: Slot) -> UUID:
    """The request id under which a slot asks for its job: the same however often it asks."""
    return uuid5(schedule_id, f"slots/{slot.date.isoformat()}/{slot.hour}")


def look(schedule: Schedule, now: datetime) -> tuple[Schedule, tuple[Decision, ...]]:
    """Decide the slots that have come since the schedule was looked at, a week at a time.

    Without its time zone nobody knows which have come: it gets a problem, and they are decided
    when the zone is known again.
    """
    zone = schedule.zone
    if zone is None:
        return replace(schedule, problem=_unknown(schedule), again_at=now + AGAIN), ()
    after, until = schedule.looked_until, min(now, schedule.looked_until + _WEEK)
    due = calendar.slots(zone, schedule.hours, after=after, until=until)
    decisions = tuple(decide(schedule, slot, now) for slot in due)
    return replace(sound(schedule), looked_until=max(after, until)), decisions


def sound(schedule: Schedule) -> Schedule:
    """The schedule without its problem, until it is looked at again."""
    return replace(schedule, problem="", again_at=None)


def decide(schedule: Schedule, slot: Slot, now: datetime) -> Decision:
    """Start a slot's job, or say why not."""
    if not slot.exists:
        reason = f"On {slot.date} clocks skipped {slot.hour:02}:00 in {schedule.time_zone}"
        return Decision(slot, SlotOutcome.MISSED, reason)
    reason = _held_back(schedule, slot, now)
    return Decision(slot, SlotOutcome.SKIPPED if reason else SlotOutcome.STARTING, reason)


def next_look(schedule: Schedule) -> datetime:
    """When the next slot comes, whatever becomes of it; with a problem, when to try again."""
    after, zone = schedule.looked_until, schedule.zone
    if schedule.again_at is not None or zone is None:
        return schedule.again_at or after
    found = calendar.slots(zone, schedule.hours, after=after, until=after + _WEEK)
    return min((slot.at for slot in found), default=after + _WEEK)


def next_start(schedule: Schedule, now: datetime) -> datetime | None:
    """When its next job starts; None while a person has paused it, or not within a year.

    None, too, while nobody knows its time zone.
    """
    zone = schedule.zone
    if schedule.paused or zone is None:
        return None
    after, paused = now, schedule.pause_until
    if paused is not None and paused > now:
        after = paused - timedelta(microseconds=1)
    if after.year > _LAST_YEAR:
        return None
    found = calendar.slots(zone, schedule.hours, after=after, until=after + _YEAR)
    free = (slot.at for slot in found if slot.exists and slot.date not in schedule.skip_dates)
    return next(free, None)


def _held_back(schedule: Schedule, slot: Slot, now: datetime) -> str:
    """Why an hour that exists starts nothing; empty when it starts its job."""
    if schedule.paused:
        return "The schedule is paused"
    if schedule.pause_until is not None and slot.at < schedule.pause_until:
        return f"The schedule is paused until {schedule.pause_until:%Y-%m-%d %H:%M} UTC"
    if slot.date in schedule.skip_dates:
        return f"{slot.date} is a date to be skipped"
    if now - slot.at > LATEST:
        late, most = _minutes(now - slot.at), _minutes(LATEST)
        return f"It could only start {late} minutes late; {most} are allowed"
    return ""


def _unknown(schedule: Schedule) -> str:
    return (
        f"The time zone {schedule.time_zone} is not known any more, so nobody can tell when its "
        "hours come; name another one"
    )


def _minutes(span: timedelta) -> int:
    return -(-span // timedelta(minutes=1))
