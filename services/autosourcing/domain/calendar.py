"""Hours of local days as instants: which exist, which come twice, and which comes next."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Slot:
    """One hour of one local day.

    Attributes:
        at: When it begins. Of an hour that comes twice, the first time; of one that the
            time zone leaves out, about when it would have been.
        exists: Whether clocks of the time zone ever show it.
    """

    date: date
    hour: int
    at: datetime
    exists: bool = True


def known_zone(name: str) -> ZoneInfo | None:
    """The time zone of that name; None when the zone data has none that can be read."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def slot(zone: ZoneInfo, day: date, hour: int) -> Slot:
    """Place an hour of a local day in time.

    Raises:
        OverflowError: The calendar ends before it.
    """
    local = datetime.combine(day, time(hour), tzinfo=zone)
    at = local.astimezone(UTC)
    shown = at.astimezone(zone).replace(tzinfo=None)
    return Slot(day, hour, at, exists=shown == local.replace(tzinfo=None))


def slots(
    zone: ZoneInfo, hours: tuple[int, ...], *, after: datetime, until: datetime
) -> Iterator[Slot]:
    """Every slot after an instant and not later than another, day by day.

    Two days more are looked at on both sides: no zone has ever skipped more than one.
    """
    day, last = after.astimezone(zone).date() - 2 * DAY, until.astimezone(zone).date() + 2 * DAY
    while day <= last:
        found = sorted((slot(zone, day, hour) for hour in hours), key=_order)
        yield from (each for each in found if after < each.at <= until)
        day += DAY


def _order(each: Slot) -> tuple[datetime, int]:
    return each.at, each.hour
