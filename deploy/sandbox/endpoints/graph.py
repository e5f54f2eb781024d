"""GET /graphimage: a product's prices as a picture, 1 token; the same one is free for 90 minutes."""

import json
from typing import Any

from deploy.sandbox.answering import Answer
from deploy.sandbox.catalogue import Catalogue, Item
from deploy.sandbox.catalogue.series_index import Series
from deploy.sandbox.catalogue.statistics import Points
from deploy.sandbox.keepa_time import MINUTES_PER_DAY, minute_of
from deploy.sandbox.params import Params, require_asins
from deploy.sandbox.png import Canvas

TOKENS = 1
FREE_MS = 90 * 60_000
DEFAULT_WIDTH, DEFAULT_HEIGHT, LEAST, MOST = 500, 200, 50, 2_000
DEFAULT_DAYS, MOST_DAYS = 90, 3_650
_LINES = {
    "amazon": Series.AMAZON,
    "new": Series.NEW,
    "used": Series.USED,
    "salesrank": Series.SALES,
}
_SHOWN = frozenset({"amazon", "new"})


class GraphImage:
    """Draws the free price histories."""

    gated = True

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._drawn: dict[str, int] = {}

    async def answer(self, params: Params, now_ms: int, /) -> Answer:
        """Return a PNG; an unknown product has an empty one."""
        domain = params.domain()
        asins = require_asins(params.listing("asin", 1))
        if not asins:
            raise params.refused("asin")
        width, height = (
            _bounded(params, name, default)
            for name, default in (("width", DEFAULT_WIDTH), ("height", DEFAULT_HEIGHT))
        )
        days = params.integer("range", DEFAULT_DAYS) or DEFAULT_DAYS
        if not 1 <= days <= MOST_DAYS:
            raise params.refused("range")
        wanted = [name for name in _LINES if params.flag(name, default=name in _SHOWN)]
        item = self._catalogue.find(asins[0])
        canvas = Canvas(width, height)
        if item and item.domain == domain:
            _draw(canvas, item, wanted, minute_of(now_ms), days)
        question = json.dumps([domain, asins[0], width, height, days, wanted])
        return Answer({}, self._price(question, now_ms), 100, image=canvas.encode())

    def _price(self, question: str, now_ms: int) -> int:
        self._drawn = {q: at for q, at in self._drawn.items() if now_ms - at < FREE_MS}
        free = question in self._drawn
        self._drawn.setdefault(question, now_ms)
        return 0 if free else TOKENS


def _bounded(params: Params, name: str, default: int) -> int:
    value = params.integer(name, default)
    if value is None or not LEAST <= value <= MOST:
        raise params.refused(name)
    return value


def _draw(canvas: Canvas, item: Item, wanted: list[str], minute: int, days: int) -> None:
    """Draw each series over its own height; money shares one scale."""
    series = {name: item.one_series(_LINES[name]) for name in wanted}
    top = max((value for name, points in series.items() if name != "salesrank"
               for _, value in points), default=1)  # fmt: skip
    start, width = minute - days * MINUTES_PER_DAY, days * MINUTES_PER_DAY
    for name, points in series.items():
        most = max((value for _, value in points), default=1) if name == "salesrank" else top
        columns = [start + width * column // canvas.width for column in range(canvas.width)]
        colour = list(_LINES).index(name) + 1
        canvas.step_line([_level(points, at, most, canvas.height) for at in columns], colour)


def _level(points: Points, minute: int, most: int, height: int) -> int:
    """Return how high the value that held at a minute is drawn."""
    held: Any = next((value for at, value in reversed(points) if at <= minute), -1)
    return 0 if held < 0 else min(height - 1, held * (height - 1) // max(1, most))
