"""Keepa's ``stats`` arrays, computed from the series themselves so that both agree."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from deploy.sandbox.catalogue.series_index import LENGTH, NOT_PRICES, Series

Points = Sequence[tuple[int, int]]
Extreme = list[int] | None
DAY = 1_440
WINDOWS = (30, 90, 180, 365)
_SMALL_FALLS_COUNT_BELOW_RANK = 10_000
_SMALL_FALL = 0.02
_ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Held:
    """A series over one window, time-weighted.

    Attributes:
        present: Minutes with a value.
        absent: Minutes without an offer.
        total: Sum of value x minutes.
    """

    present: int = 0
    absent: int = 0
    total: int = 0

    @property
    def average(self) -> int:
        """The mean value, or -1 when there was none in the window."""
        return self.total // self.present if self.present else -1

    @property
    def absent_percent(self) -> int:
        """How much of the window had no offer, or -1 when nothing is known of it."""
        known = self.present + self.absent
        return 100 * self.absent // known if known else -1


@dataclass(frozen=True)
class Windows:
    """What statistics are taken over.

    Attributes:
        end: The minute that the 30 to 365 days are counted back from.
        first: Where the asked interval starts.
        last: Where the asked interval ends.
    """

    end: int
    first: int
    last: int

    def starts(self) -> dict[str, int]:
        """Return the starts of the windows that run to ``end``, latest first."""
        starts = {str(days): self.end - days * DAY for days in WINDOWS}
        if self.last >= self.end:
            starts[_ASKED] = self.first
        return dict(sorted(starts.items(), key=lambda entry: -entry[1]))


def held(points: Points, starts: Sequence[int], end: int) -> list[Held]:
    """Return the time-weighted contents of ``[start, end)`` for each start, latest first."""
    found: list[Held] = []
    pending = list(reversed(starts))
    start = pending.pop()
    present = absent = total = 0
    until = end
    for minute, value in reversed(points):
        while minute <= start:
            span = until - start if until > start else 0
            gained = (0, span, 0) if value < 0 else (span, 0, value * span)
            found.append(Held(present + gained[0], absent + gained[1], total + gained[2]))
            if not pending:
                return found
            start = pending.pop()
        if minute < until:
            if value < 0:
                absent += until - minute
            else:
                present += until - minute
                total += value * (until - minute)
            until = minute
    return found + [Held(present, absent, total)] * (len(starts) - len(found))


def drops(points: Points, starts: Sequence[int]) -> list[int]:
    """Return how often the rank fell since each start: the sales that Keepa could see.

    A fall of under 2 % counts only for ranks below 10,000, where a single sale moves little.
    """
    oldest = bisect_left(points, (min(starts), -1))
    falls = [
        after[0]
        for before, after in pairwise(points[max(0, oldest - 1) :])
        if 0 < after[1] < before[1] and _is_sale(before[1], after[1])
    ]
    return [len(falls) - bisect_left(falls, start) for start in starts]


def _is_sale(before: int, after: int) -> bool:
    return before < _SMALL_FALLS_COUNT_BELOW_RANK or after <= before * (1 - _SMALL_FALL)


def _tail(points: Points, start: int) -> Points:
    """Return what held since ``start``, beginning with the value of that minute."""
    first = max(0, bisect_left(points, (start + 1, -2)) - 1)
    minute, value = points[first]
    return [(max(minute, start), value), *points[first + 1 :]]


def _extremes(points: Points) -> tuple[Extreme, Extreme]:
    """Return ``[minute, value]`` of the lowest and highest value, the earliest of equals."""
    values = [value for _, value in points]
    present = [value for value in values if value >= 0]
    if not present:
        return None, None
    low, high = min(present), max(present)
    at_low, at_high = points[values.index(low)][0], points[values.index(high)][0]
    return [at_low, low], [at_high, high]


def _at(points: Points, minute: int) -> int:
    """Return the value that held at ``minute``, or -1 before the first."""
    place = bisect_left(points, (minute + 1, -2))
    return points[place - 1][1] if place else -1


def statistics(series: Mapping[int, Points], windows: Windows) -> dict[str, Any]:
    """Return every array of ``stats`` and the counts that follow from series.

    ``series`` is keyed by index; of triples it holds price plus shipping.
    """
    stats = _blank()
    starts = windows.starts()
    for index, points in series.items():
        if points:
            _averages(stats, index, points, windows, starts)
            _bounds(stats, index, points, windows)
    ranks = series.get(Series.SALES, ())
    since = [windows.end - days * DAY for days in WINDOWS]
    for days, count in zip(WINDOWS, drops(ranks, since) if ranks else [-1] * 4, strict=True):
        stats[f"salesRankDrops{days}"] = count
    amazon = series.get(Series.AMAZON, ())
    for days in (30, 90):
        gone = _times_gone(amazon, windows.end - days * DAY) if amazon else None
        stats[f"outOfStockCountAmazon{days}"] = gone
    return stats


def _blank() -> dict[str, Any]:
    numbers = ("current", "avg", "avg30", "avg90", "avg180", "avg365", "atIntervalStart")
    absences = ("InInterval", "30", "90", "180", "365")
    stats: dict[str, Any] = {name: [-1] * LENGTH for name in numbers}
    stats |= {f"outOfStockPercentage{name}": [-1] * LENGTH for name in absences}
    stats |= {name: [None] * LENGTH for name in ("min", "max", "minInInterval", "maxInInterval")}
    stats |= {name: [False] * LENGTH for name in ("isLowest", "isLowest90")}
    return stats


def _averages(
    stats: dict[str, Any], index: int, points: Points, windows: Windows, starts: dict[str, int]
) -> None:
    """Fill the averages and absences of one series."""
    found = dict(zip(starts, held(points, list(starts.values()), windows.end), strict=True))
    asked = found.pop(_ASKED, None) or held(points, [windows.first], windows.last)[0]
    stats["avg"][index] = asked.average
    for days, window in found.items():
        stats[f"avg{days}"][index] = window.average
    if index not in NOT_PRICES:
        stats["outOfStockPercentageInInterval"][index] = asked.absent_percent
        for days, window in found.items():
            stats[f"outOfStockPercentage{days}"][index] = window.absent_percent


def _bounds(stats: dict[str, Any], index: int, points: Points, windows: Windows) -> None:
    """Fill the present, the start, and the lowest and highest of one series."""
    current = points[-1][1]
    stats["current"][index] = current
    stats["atIntervalStart"][index] = _at(points, windows.first)
    low, high = _extremes(points)
    stats["min"][index], stats["max"][index] = low, high
    low_in, high_in = _extremes(_tail(points, windows.first))
    stats["minInInterval"][index] = low_in or [-1, -1]
    stats["maxInInterval"][index] = high_in or [-1, -1]
    if current >= 0:
        low90, _ = _extremes(_tail(points, windows.end - 90 * DAY))
        stats["isLowest"][index] = low is not None and current == low[1]
        stats["isLowest90"][index] = low90 is not None and current == low90[1]


def _times_gone(points: Points, start: int) -> int:
    """Return how often the offer was found gone since ``start``; absent throughout counts once."""
    gone = int(_at(points, start) < 0)
    return gone + sum(b[0] >= start and b[1] < 0 <= a[1] for a, b in pairwise(points))
