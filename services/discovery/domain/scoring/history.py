"""Reading a history: how long each value held, and what follows from that."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from math import sqrt

from services.discovery.domain.product import Series

SECONDS_PER_DAY = 86_400
SECONDS_PER_WEEK = 7 * SECONDS_PER_DAY

SEASONS = (((8, 1), (9, 16)), ((12, 20), (2, 1)))
"""When textbooks sell: first day, and the day after the last, as month and day."""

Window = tuple[int, int]
"""From one Unix second up to, not including, another."""


@dataclass(frozen=True, slots=True)
class Holding:
    """The present values of one history inside some windows, with the time each one held.

    Attributes:
        values: Pairs of value and seconds, ascending by value.
        present: Seconds with a value.
        window: Seconds looked at.
        points: Changes recorded inside the windows.
    """

    values: Sequence[tuple[int, int]]
    present: int
    window: int
    points: int

    @property
    def coverage(self) -> float:
        """The part of the windows during which there was a value, 0 to 1."""
        return self.present / self.window if self.window else 0.0

    def quantile(self, numerator: int, denominator: int) -> int:
        """Find the smallest value that held, with all below it, for that part of the time."""
        passed = 0
        for value, seconds in self.values:
            passed += seconds
            if passed * denominator >= self.present * numerator:
                return value
        raise ValueError("a history without values has no quantile")

    @property
    def median(self) -> int:
        """The time-weighted median."""
        return self.quantile(1, 2)

    @property
    def variation(self) -> float:
        """The time-weighted coefficient of variation."""
        mean = sum(value * seconds for value, seconds in self.values) / self.present
        squares = sum((value - mean) ** 2 * seconds for value, seconds in self.values)
        return sqrt(squares / self.present) / mean

    @property
    def spread(self) -> float:
        """The distance from the lowest to the highest value, relative to the median."""
        return (self.values[-1][0] - self.values[0][0]) / self.median


def hold(series: Series, windows: Iterable[Window]) -> Holding:
    """Measure how long each present value held inside the windows."""
    spans: list[tuple[int, int]] = []
    length = points = 0
    for start, end in windows:
        length += end - start
        points += _collect(series, start, end, spans)
    spans.sort()
    return Holding(spans, sum(seconds for _, seconds in spans), length, points)


def _collect(series: Series, start: int, end: int, spans: list[tuple[int, int]]) -> int:
    """Add the spans of one window to ``spans`` and count the changes recorded in it."""
    first, last = bisect_left(series.times, start), bisect_left(series.times, end)
    times = [start, *series.times[first:last], end]
    values = [series.values[first - 1] if first else 0, *series.values[first:last]]
    points = 0
    for at, value in enumerate(values):
        if value > 0:
            points += at > 0
            if times[at + 1] > times[at]:
                spans.append((value, times[at + 1] - times[at]))
    return points


def last_days(as_of: datetime, days: int) -> Window:
    """Give the window of the last ``days`` days."""
    end = _second(as_of)
    return end - days * SECONDS_PER_DAY, end


def current(series: Series, as_of: datetime) -> int | None:
    """Read the value that held at an instant; None when it was absent."""
    at = bisect_right(series.times, _second(as_of))
    value = series.values[at - 1] if at else 0
    return value if value > 0 else None


def weeks_with_drops(series: Series, as_of: datetime, weeks: int) -> float:
    """Give the part of the last weeks in which the rank improved at least once."""
    start = _second(as_of) - weeks * SECONDS_PER_WEEK
    edges = [bisect_left(series.times, start + week * SECONDS_PER_WEEK) for week in range(weeks)]
    edges.append(bisect_right(series.times, _second(as_of)))
    return sum(_drops(series.values, *edge) for edge in pairwise(edges)) / weeks


def _drops(values: Sequence[int], first: int, last: int) -> bool:
    """Whether a rank of a stretch is better than the one before; most weeks say so early."""
    before = values[first - 1] if first else 0
    for rank in values[first:last]:
        if 0 < rank < before:
            return True
        before = rank
    return False


def in_season(day: datetime) -> bool:
    """Whether textbooks are in season at an instant."""
    second = _second(day)
    return any(start <= second < end for start, end in _seasons(day.year))


def season_windows(as_of: datetime, days: int) -> tuple[list[Window], list[Window]]:
    """Split the last ``days`` days into the windows in season and those out of it."""
    begin, end = last_days(as_of, days)
    inside = [
        (max(start, begin), min(stop, end))
        for start, stop in _seasons(as_of.year)
        if start < end and stop > begin
    ]
    edges = [begin, *(edge for window in inside for edge in window), end]
    outside = [
        (start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop
    ]
    return inside, outside


@cache
def _seasons(year: int) -> tuple[Window, ...]:
    """List the seasons from two years before a year to one after, in order."""
    found = []
    for opening in range(year - 2, year + 2):
        for first, after in SEASONS:
            closing = opening + (after < first)
            start = datetime(opening, *first, tzinfo=UTC)
            end = datetime(closing, *after, tzinfo=UTC)
            found.append((_second(start), _second(end)))
    return tuple(found)


def age_hours(updated_at: datetime, as_of: datetime) -> float:
    """Tell how old data is; data from after ``as_of`` is fresh."""
    return max(0.0, (as_of - updated_at) / timedelta(hours=1))


def _second(instant: datetime) -> int:
    """Convert an instant to Unix seconds, rounding down."""
    return int(instant.timestamp() // 1)
