"""The past of a book's prices and rank, told so that it ends in its present."""

import math
import random
from collections.abc import Callable
from functools import cache
from itertools import pairwise

from deploy.sandbox.catalogue.book import ABSENT, Book, Story
from deploy.sandbox.catalogue.series_index import Series

Points = list[tuple[int, int]]
"""``(Keepa minute, value)``, ascending; a value holds until the next point."""

DAY = 1_440
YEAR = 365 * DAY
_TERM_PEAKS = (240, 15)  # days of the year: late August, mid January


@cache
def season(*, textbook: bool) -> list[float]:
    """Return the price level of each day of the year around 1; rank moves the other way."""
    if not textbook:
        return [1 + 0.03 * math.cos(2 * math.pi * (day - 345) / 365) for day in range(366)]
    return [1 + sum(0.16 * _bump(day - peak) for peak in _TERM_PEAKS) for day in range(366)]


def _bump(distance: float) -> float:
    wrapped = min(abs(distance), 365 - abs(distance))
    return math.exp(-((wrapped / 18) ** 2))


def _day_of_year(minute: int) -> int:
    """Return the day of the year, nearly: Keepa's first minute began a year."""
    return int(minute / DAY % 365.25)


def stepped(rng: random.Random, book: Book, end: int, level: int, *, every_days: float) -> Points:
    """Return a price that ends at ``level`` and changed about every so many days."""
    table = season(textbook=book.category.textbook)
    scale = level / table[_day_of_year(end)]
    start = end - book.tracked_days * DAY
    recent, spread, draw = end - YEAR, 2.4 * book.swing, rng.random
    minute, value = end - int(rng.random() * every_days * DAY) - 1, level
    points: Points = []
    while minute > start:
        points.append((minute, value))
        pace = every_days if minute > recent else 70.0
        minute -= int(-math.log(1.0 - draw()) * pace * DAY) + 2
        stray = 1 + spread * (draw() + draw() - 1)
        value = int(scale * table[int(minute / DAY % 365.25)] * stray)
        value = max(value, 99)
    points.append((start, value))
    return _changes(points[::-1])


def counted(rng: random.Random, book: Book, end: int, level: int) -> Points:
    """Return a number of offers that ends at ``level`` and strays from it by one or two."""
    start = end - book.tracked_days * DAY
    recent = end - YEAR
    minute, value, points = end - int(rng.random() * 6 * DAY) - 1, level, []
    while minute > start:
        points.append((minute, value))
        minute -= _wait(rng, (9 if minute > recent else 150) * DAY) + 2
        if value == level:
            value = max(0, value + (1 if rng.random() < 0.5 else -1))
        elif rng.random() < 0.7:
            value += 1 if value < level else -1
    points.append((start, value))
    return _changes(points[::-1])


def ranked(rng: random.Random, book: Book, end: int) -> Points:
    """Return a sales rank that climbs between sales and falls with each, ending at the present.

    Every fall is one sale, so that the drops counted from it are the book's demand.
    """
    table = season(textbook=book.category.textbook)
    level = book.rank * table[_day_of_year(end)]
    gap = 30 * DAY / book.sold_monthly
    start, recent = end - book.tracked_days * DAY, end - YEAR
    swing = 0.06 if book.rank < 30_000 else 0.22
    points = [(end - 1 - int(rng.random() * 90), book.rank)]
    minute = end - 91 - int(rng.random() * gap)
    low = book.rank * (0.97 - swing * rng.random())
    draw = rng.random
    while minute > start:
        points.append((minute, int(low) + 1))
        base = level / table[int(minute / DAY % 365.25)]
        high = base * (1 + 1.6 * swing * draw())
        high = max(high, low * 1.08 + 3)
        points.append((minute - 20 - int(40 * draw()), int(high)))
        pause = gap if minute > recent else 60 * gap
        minute -= int(-math.log(1.0 - draw()) * pause) + 70
        low = high * (0.96 - (1.8 * swing - 0.04) * draw())
    return _changes(points[::-1])


def _wait(rng: random.Random, mean: float) -> int:
    """Return an exponentially distributed number of minutes."""
    return int(-math.log(1.0 - rng.random()) * mean)


def _changes(points: Points) -> Points:
    """Drop points that repeat the value before them: Keepa appends on change only."""
    return points[:1] + [b for a, b in pairwise(points) if a[1] != b[1]]


def _absent(book: Book, end: int) -> Points:
    return [(end - book.tracked_days * DAY, ABSENT)]


def _amazon(rng: random.Random, book: Book, end: int) -> Points:
    """Return Amazon's own price: there now, gone for more than a year, or never there."""
    if book.story is Story.AMAZON:
        return stepped(rng, book, end, book.amazon, every_days=11)
    if book.tracked_days < 700 or rng.random() < 0.6:
        return _absent(book, end)
    left = end - rng.randint(420, 640) * DAY
    return [(end - book.tracked_days * DAY, book.list_price), (left, ABSENT)]


def _list_price(rng: random.Random, book: Book, end: int) -> Points:
    start = end - book.tracked_days * DAY
    raised = end - rng.randint(40, 400) * DAY
    return _changes([(start, round(book.list_price * 0.94)), (raised, book.list_price)])


def _trade_in(rng: random.Random, book: Book, end: int) -> Points:
    return stepped(rng, book, end, book.trade_in, every_days=40) if book.trade_in > 0 else []


def _ebay(rng: random.Random, book: Book, end: int, level: int) -> Points:
    """Return eBay's landed price, last changed before eBay was last looked at."""
    if level < 0:
        return []
    return stepped(rng, book, end - book.ebay_age, level, every_days=17)


Teller = Callable[[random.Random, Book, int], Points]
_TELLERS: dict[Series, Teller] = {
    Series.AMAZON: _amazon,
    Series.NEW: lambda rng, book, end: stepped(rng, book, end, book.new, every_days=5),
    Series.USED: lambda rng, book, end: stepped(rng, book, end, book.used, every_days=4),
    Series.SALES: ranked,
    Series.LISTPRICE: _list_price,
    Series.COUNT_NEW: lambda rng, book, end: counted(rng, book, end, book.count_new),
    Series.COUNT_USED: lambda rng, book, end: counted(rng, book, end, book.count_used),
    Series.EBAY_NEW_SHIPPING: lambda rng, book, end: _ebay(rng, book, end, book.ebay_new),
    Series.EBAY_USED_SHIPPING: lambda rng, book, end: _ebay(rng, book, end, book.ebay_used),
    Series.TRADE_IN: _trade_in,
    Series.COUNT_NEW_FBA: lambda rng, book, end: counted(rng, book, end, book.count_new_fba),
    Series.COUNT_NEW_FBM: lambda rng, book, end: counted(
        rng, book, end, book.count_new - book.count_new_fba
    ),
}


def own_rng(book: Book, index: int) -> random.Random:
    """Return a source of its own for each series, so that none depends on what else is told."""
    return random.Random(book.index * 59 + index)  # noqa: S311


def free_series(book: Book, end: int) -> dict[int, Points]:
    """Return the series that every request for the book gets, by index."""
    series = {index: one_series(book, end, index) for index in _TELLERS}
    return {int(index): points for index, points in series.items() if points}


def one_series(book: Book, end: int, index: int) -> Points:
    """Return one of the free series, the same as ``free_series`` has it; empty for others."""
    teller = _TELLERS.get(Series(index))
    return teller(own_rng(book, index), book, end) if teller else []
