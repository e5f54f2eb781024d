"""Two products of fixed size, always the same: what scoring is measured on.

Recorded answers may not be part of this repository, so these are grown from the sandbox's seed:
20 kB as of a book without offers, 239 kB as of a much traded one with offers and years of prices.
"""

import random
from typing import Any

import msgspec

from deploy.sandbox.catalogue.generated import GeneratedCatalogue
from deploy.sandbox.catalogue.view import View

MINUTE = 8_000_000
"""In Keepa's minutes: March 2026."""

SMALL_BYTES, LARGE_BYTES = 20_000, 239_000
_TRIPLES = (7, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 32)
"""Histories whose points are time, price and shipping; the others are time and value."""

_STEP = 1.04
_LEAST_POINTS = 2


def small() -> bytes:
    """A product of 20 kB, as Keepa writes it."""
    return _grown(View(minute=MINUTE, stats=365), SMALL_BYTES)


def large() -> bytes:
    """A product of 239 kB, as Keepa writes it."""
    return _grown(View(minute=MINUTE, stats=365, offers=20), LARGE_BYTES)


def _grown(view: View, size: int) -> bytes:
    """Thin or thicken every history alike until the whole has about the size."""
    catalogue = GeneratedCatalogue(seed=11, size=40, minute=MINUTE)
    item = catalogue.find(catalogue.asins()[0])
    assert item is not None
    product = item.render(view)
    factor = 0.05
    while len(written := _written(product, factor)) < size:
        factor *= _STEP
    return written


def _written(product: dict[str, Any], factor: float) -> bytes:
    histories = [
        series and _resampled(series, 3 if kind in _TRIPLES else 2, factor)
        for kind, series in enumerate(product["csv"])
    ]
    return msgspec.json.encode({**product, "csv": histories})


def _resampled(series: list[int], width: int, factor: float) -> list[int]:
    """Spread a history over ``factor`` times as many points, with values that move a little."""
    points = [series[at : at + width] for at in range(0, len(series), width)]
    if len(points) < _LEAST_POINTS:
        return series
    wanted = max(_LEAST_POINTS, round(len(points) * factor))
    first, last, noise = points[0][0], points[-1][0], random.Random(len(points))
    spread: list[int] = []
    for number in range(wanted):
        _, value, *rest = points[number * (len(points) - 1) // (wanted - 1)]
        moved = value if value < 1 else max(1, round(value * noise.uniform(0.97, 1.03)))
        spread += [first + (last - first) * number // (wanted - 1), moved, *rest]
    return spread
