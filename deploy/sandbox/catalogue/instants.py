"""Where a product object holds Keepa minutes, so that a recording can be moved in time.

Moved are: the ``last*`` fields, ``trackingSince``, ``listedSince``, ``fbaFees.lastUpdate``; in
histories every first of 2 (``csv``, ``salesRanks``, ``*History``, an offer's ``stockCSV``,
``couponHistory``, ``primeExclCSV``, ``stockLimit``), of 3 (the shipping series of ``csv``, the
product's ``couponHistory``, ``offerCSV``) or of 4 (``buyBoxUsedHistory``); an offer's ``lastSeen``
and ``lastStockUpdate``; in ``stats`` the extremes, ``last*``, ``lightningDealInfo`` and
``lastSeen`` of the buy box statistics. Not moved are dates such as ``publicationDate``, and
values of 0 and below, which mean unknown.
"""

from collections.abc import Callable
from typing import Any

from deploy.sandbox.catalogue.series_index import TRIPLES

Move = Callable[[int], int]
Fields = dict[str, Any]

_PRODUCT_TIMES = (
    "lastUpdate",
    "lastPriceChange",
    "lastRatingUpdate",
    "lastSoldUpdate",
    "lastStockUpdate",
    "lastEbayUpdate",
    "lastBusinessDiscountUpdate",
    "trackingSince",
    "listedSince",
)
_PRODUCT_STRIDES = {
    "salesRankReferenceHistory": 2,
    "monthlySoldHistory": 2,
    "parentAsinHistory": 2,
    "buyBoxSellerIdHistory": 2,
    "couponHistory": 3,
    "buyBoxUsedHistory": 4,
}
_OFFER_TIMES = ("lastSeen", "lastStockUpdate")
_OFFER_STRIDES = {
    "offerCSV": 3,
    "stockCSV": 2,
    "stockLimit": 2,
    "couponHistory": 2,
    "primeExclCSV": 2,
}
_EXTREMES = ("min", "max", "minInInterval", "maxInInterval")
_STATS_TIMES = ("lastOffersUpdate", "lastBuyBoxUpdate")
_WINNERS = ("buyBoxStats", "buyBoxUsedStats")


def move_instants(product: Fields, move: Move) -> Fields:
    """Return the product with ``move`` applied to every Keepa minute in it."""
    moved = _fields(product, _PRODUCT_TIMES, _PRODUCT_STRIDES, move)
    for name, change in (("fbaFees", _fees), ("csv", _csv), ("stats", _stats)):
        if moved.get(name):
            moved[name] = change(moved[name], move)
    if moved.get("salesRanks"):
        ranks = moved["salesRanks"].items()
        moved["salesRanks"] = {category: _packed(points, 2, move) for category, points in ranks}
    if moved.get("offers"):
        moved["offers"] = [
            _fields(offer, _OFFER_TIMES, _OFFER_STRIDES, move) for offer in moved["offers"]
        ]
    return moved


def newest_instant(product: Fields) -> int:
    """Return the newest Keepa minute that the product holds."""
    seen = [0]

    def note(minute: int) -> int:
        seen.append(minute)
        return minute

    move_instants(product, note)
    return max(seen)


def _one(value: Any, move: Move) -> Any:
    """Move a minute, written as a number or in digits; 0 and below are not minutes."""
    if isinstance(value, str):
        return str(move(int(value))) if value.isdecimal() and int(value) > 0 else value
    return move(value) if isinstance(value, int) and value > 0 else value


def _packed(values: list[Any] | None, stride: int, move: Move) -> list[Any] | None:
    if values is None:
        return None
    return [_one(v, move) if place % stride == 0 else v for place, v in enumerate(values)]


def _fields(fields: Fields, times: tuple[str, ...], strides: dict[str, int], move: Move) -> Fields:
    moved = dict(fields)
    for name in times:
        if name in moved:
            moved[name] = _one(moved[name], move)
    for name, stride in strides.items():
        if name in moved:
            moved[name] = _packed(moved[name], stride, move)
    return moved


def _fees(fees: Fields, move: Move) -> Fields:
    return _fields(fees, ("lastUpdate",), {}, move)


def _csv(series: list[list[int] | None], move: Move) -> list[list[int] | None]:
    return [
        _packed(points, 3 if index in TRIPLES else 2, move) for index, points in enumerate(series)
    ]


def _stats(stats: Fields, move: Move) -> Fields:
    moved = _fields(stats, _STATS_TIMES, {"lightningDealInfo": 1}, move)
    for name in _EXTREMES:
        if moved.get(name):
            moved[name] = [_packed(pair, 2, move) for pair in moved[name]]
    for name in _WINNERS:
        winners = (moved.get(name) or {}).items()
        if winners:
            moved[name] = {i: _fields(w, ("lastSeen",), {}, move) for i, w in winners}
    return moved
