"""Hours of local days as instants, in zones whose clocks jump."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.autosourcing.domain import calendar

# Whole hours, half an hour, a day that never was, midnight left out, and no summer time at all.
ZONES = (
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Asuncion",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "UTC",
)
HOURS = st.sets(st.integers(0, 23), min_size=1).map(lambda found: tuple(sorted(found)))
SINCE = datetime(2010, 1, 1, tzinfo=UTC)
INSTANTS = st.timedeltas(timedelta(0), timedelta(days=9_800)).map(lambda span: SINCE + span)
SPANS = st.timedeltas(timedelta(0), timedelta(days=12))


@given(st.sampled_from(ZONES), HOURS, INSTANTS, SPANS, SPANS)
def test_no_slot_is_lost_or_doubled_where_two_looks_meet(
    name: str, hours: tuple[int, ...], after: datetime, first: timedelta, second: timedelta
) -> None:
    """A8: replicas look at any time; each slot is in exactly one of their looks."""
    zone = ZoneInfo(name)

    def look(start: datetime, end: datetime) -> list[calendar.Slot]:
        return list(calendar.slots(zone, hours, after=start, until=end))

    whole = look(after, after + first + second)
    parts = look(after, after + first) + look(after + first, after + first + second)

    assert sorted(whole, key=_key) == sorted(parts, key=_key)
    assert len({(slot.date, slot.hour) for slot in whole}) == len(whole)


@given(st.sampled_from(ZONES), st.dates(date(2010, 1, 1), date(2037, 1, 1)), st.integers(0, 23))
def test_a_slot_begins_when_its_clocks_first_show_it(name: str, day: date, hour: int) -> None:
    """A8: the earliest instant with this local time, and none at all where it is left out."""
    zone = ZoneInfo(name)

    found = calendar.slot(zone, day, hour)

    shown = found.at.astimezone(zone)
    assert found.exists == ((shown.date(), shown.hour, shown.minute) == (day, hour, 0))
    for earlier in (timedelta(minutes=30), timedelta(hours=1)):
        before = (found.at - earlier).astimezone(zone)
        assert not found.exists or before.replace(tzinfo=None) != shown.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("name", "day", "hour", "at"),
    [
        ("Europe/Paris", date(2026, 10, 25), 2, "2026-10-25T00:00"),  # Comes again at 01:00.
        ("America/New_York", date(2026, 11, 1), 1, "2026-11-01T05:00"),
        ("Australia/Lord_Howe", date(2026, 4, 5), 2, "2026-04-04T15:30"),
        ("Europe/Paris", date(2026, 7, 1), 7, "2026-07-01T05:00"),
    ],
)
def test_a_repeated_hour_runs_once(name: str, day: date, hour: int, at: str) -> None:
    """Design 6.6: the day on which clocks go back has each hour once."""
    found = calendar.slot(ZoneInfo(name), day, hour)

    assert found.exists
    assert found.at == datetime.fromisoformat(at).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "day", "hour"),
    [
        ("Europe/Paris", date(2026, 3, 29), 2),
        ("America/New_York", date(2026, 3, 8), 2),
        ("Australia/Lord_Howe", date(2026, 10, 4), 2),
        ("Pacific/Apia", date(2011, 12, 30), 12),
    ],
)
def test_an_hour_that_no_clock_shows_is_known(name: str, day: date, hour: int) -> None:
    """Design 6.6: clocks go forward; a whole day was skipped once."""
    assert not calendar.slot(ZoneInfo(name), day, hour).exists


def _key(slot: calendar.Slot) -> tuple[datetime, date, int]:
    return slot.at, slot.date, slot.hour
