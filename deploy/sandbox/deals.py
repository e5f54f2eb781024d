"""A deal as Keepa computes it: how far a price is from its averages, and what selects it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.sandbox.catalogue import Item
from deploy.sandbox.catalogue.series_index import LENGTH, Series
from deploy.sandbox.catalogue.statistics import DAY, Points, held
from deploy.sandbox.endpoints.selections import bad_field, boolean, numbers, texts, whole

INTERVALS = (1, 7, 30, 90)
"""Days of the four averages, in the order of every array of a deal."""
NEWEST_MINUTES = 12 * 60
_OPEN = -1
_LEAST, _MOST = -(2**31), 2**31 - 1
_RANGES = ("currentRange", "deltaRange", "deltaPercentRange", "deltaLastRange", "salesRankRange")
_FLAGS = (
    "isLowest", "isLowest90", "isLowestOffer", "isBackInStock", "isOutOfStock", "isRangeEnabled",
    "isFilterEnabled", "filterErotic", "hasReviews", "mustHaveAmazonOffer",
    "mustNotHaveAmazonOffer", "isPrimeExclusive", "singleVariation",
)  # fmt: skip
_LOWEST = frozenset({"isLowest", "isLowest90"})
_NEVER = frozenset({"isLowestOffer", "isBackInStock", "isPrimeExclusive"})
"""What no product of ours ever is."""
_SORTS = frozenset({1, 2, 3, 4})
Deal = dict[str, Any]
_NAMES = {"average": "avg", "delta": "delta", "percent": "deltaPercent"}


@dataclass(frozen=True)
class DealSelection:
    """A parsed selection of deals.

    Attributes:
        kind: The one price series that the deal is about.
        interval: Which of ``INTERVALS`` its change is measured against.
        ranges: Lower and upper bound by name; none unless ``isRangeEnabled``.
        flags: What the deal must be; none unless ``isFilterEnabled``.
        sort: 1 age, 2 absolute change, 3 rank, 4 percent; negative inverts.
    """

    domain: int
    page: int
    kind: int
    interval: int
    ranges: Mapping[str, tuple[int, int]]
    flags: frozenset[str]
    include: frozenset[int]
    exclude: frozenset[int]
    title: tuple[str, ...]
    sort: int

    def may_hold(self, item: Item, now: int) -> bool:
        """Return whether the product can be a deal, as far as is known without its history."""
        current, rank = item.stat("current", self.kind), item.stat("current", Series.SALES)
        shelves = set(item.facts["categories"])
        title = str(item.facts["title"]).casefold()
        return (
            item.domain == self.domain
            and now - item.updated() <= NEWEST_MINUTES
            and self._within("currentRange", current)
            and self._within("salesRankRange", rank)
            and (not self.include or not shelves.isdisjoint(self.include))
            and shelves.isdisjoint(self.exclude)
            and all(word in title for word in self.title)
            and self._amazon(item.stat("current", Series.AMAZON))
            and not ("filterErotic" in self.flags and item.facts.get("isAdultProduct"))
            and all(item.stat(name, self.kind) for name in _LOWEST & self.flags)
        )

    def rank(self, item: Item) -> tuple[int, str] | None:
        """Return where the product stands among the deals, least first, or None if it is none."""
        if not self.flags.isdisjoint(_NEVER):
            return None
        points = item.one_series(self.kind)
        row = row_of(points, item.updated()) if points else None
        if row is None or not self._accepts(row):
            return None
        change = row.change(self.interval)
        keys = {1: -row.since, 2: -change.delta, 3: item.stat("current", Series.SALES)}
        value = keys.get(abs(self.sort), -change.percent)
        return (value if self.sort > 0 else -value), item.asin

    def _accepts(self, row: "Row") -> bool:
        if "isOutOfStock" in self.flags:
            return row.current < 0
        change = row.change(self.interval)
        return (
            row.current >= 0
            and change.delta != 0
            and self._within("deltaRange", change.delta)
            and self._within("deltaPercentRange", change.percent)
            and self._within("deltaLastRange", row.last)
        )

    def _within(self, name: str, value: int) -> bool:
        low, high = self.ranges.get(name, (_LEAST, _MOST))
        return low <= value <= high

    def _amazon(self, price: int) -> bool:
        if "mustHaveAmazonOffer" in self.flags:
            return price >= 0
        return price < 0 or "mustNotHaveAmazonOffer" not in self.flags


def parse_deals(fields: Mapping[str, Any]) -> DealSelection:
    """Return the selection, or refuse naming the first field Keepa would not take."""
    rest = dict(fields)
    kinds = numbers(rest.pop("priceTypes", []), "priceTypes", least=0)
    if len(kinds) != 1 or not 0 <= kinds[0] < LENGTH:
        raise bad_field("priceTypes")
    interval = whole(rest.pop("dateRange", None), "dateRange", 0, 3)
    domain = whole(rest.pop("domainId", None), "domainId", 1, 12)
    page = whole(rest.pop("page", 0), "page", 0, 10_000)
    sort = whole(rest.pop("sortType", 4), "sortType", -4, 4)
    if abs(sort) not in _SORTS:
        raise bad_field("sortType")
    flags = frozenset(name for name in _FLAGS if boolean(rest.pop(name, False), name))
    given = {name: _range(rest.pop(name), name) for name in _RANGES if rest.get(name) is not None}
    include = frozenset(numbers(rest.pop("includeCategories", []), "includeCategories", least=0))
    exclude = frozenset(numbers(rest.pop("excludeCategories", []), "excludeCategories", least=0))
    title = " ".join(texts(rest.pop("titleSearch", ""), "titleSearch")).casefold().split()
    whole(rest.pop("minRating", -1), "minRating", -1, 50)
    numbers(rest.pop("warehouseConditions", []), "warehouseConditions", least=0)
    if rest:
        raise bad_field(next(iter(rest)))
    ranges = given if "isRangeEnabled" in flags else {}
    flags = flags if "isFilterEnabled" in flags else frozenset()
    return DealSelection(
        domain, page, kinds[0], interval, ranges, flags, include, exclude, tuple(title), sort
    )


def _range(value: Any, name: str) -> tuple[int, int]:
    """Return the bounds; an upper bound of -1 is open."""
    if not isinstance(value, list) or len(value) != 2:
        raise bad_field(name)
    low, high = (whole(entry, name, _LEAST, _MOST) for entry in value)
    return low, _MOST if high == _OPEN else high


def deal_of(item: Item, kind: int) -> Deal:
    """Return the deal object of a product: every series against its four averages.

    Source:
        keepa_samples/deals_us_books_one_deal_20250916_response.json.
    """
    series, end = item.series(), item.updated()
    rows = {index: row_of(points, end) for index, points in series.items() if points}
    images = item.facts.get("images") or [{}]
    image = str(images[0].get("m") or "")
    deal: Deal = {
        "asin": item.asin,
        "title": item.facts["title"],
        "rootCat": item.facts["rootCategory"],
        "categories": item.facts["categories"][-1:],
        "image": [ord(character) for character in image],
        "creationDate": rows[kind].since if kind in rows else end,
        "lastUpdate": end,
        "lightningStart": 0,
        "lightningEnd": 0,
        "warehouseCondition": 0,
        "dateIntervalIndex": 0,
        "backInStock": [False] * LENGTH,
        "current": [rows[i].current if i in rows else -1 for i in range(LENGTH)],
        "currentSince": [rows[i].since if i in rows else -1 for i in range(LENGTH)],
        "deltaLast": [rows[i].last if i in rows else 0 for i in range(LENGTH)],
    }
    for name, empty in (("average", -2), ("delta", 0), ("percent", 0)):
        deal[_NAMES[name]] = [
            [getattr(rows[i].change(w), name) if i in rows else empty for i in range(LENGTH)]
            for w in range(len(INTERVALS))
        ]
    names = (f"salesRankDrops{days}" for days in (30, 90, 180, 365))
    return deal | {name: item.count(name) for name in names}


@dataclass(frozen=True)
class Change:
    """A series against one of its averages; a fall is positive.

    Attributes:
        percent: Of the average.
    """

    average: int
    delta: int = 0
    percent: int = 0


@dataclass(frozen=True)
class Row:
    """One series of a deal.

    Attributes:
        since: When it took its current value.
        last: How much it fell then.
        averages: Of each of ``INTERVALS``.
    """

    current: int
    since: int
    last: int
    averages: tuple[int, ...]

    def change(self, window: int) -> Change:
        """Return how far the present is below one of the averages."""
        average = self.averages[window]
        if average <= 0 or self.current < 0:
            return Change(average)
        delta = average - self.current
        return Change(average, delta, round(100 * delta / average))


def row_of(points: Points, end: int) -> Row:
    """Return the row of a series as of minute ``end``."""
    windows = held(points, [end - days * DAY for days in INTERVALS], end)
    since, current = points[-1]
    before = points[-2][1] if len(points) > 1 else -1
    last = before - current if before >= 0 and current >= 0 else 0
    return Row(current, since, last, tuple(window.average for window in windows))
