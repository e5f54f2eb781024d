"""GET /bestsellers: a category's ASINs by rank; 50 tokens, 0 when Keepa keeps no such list."""

import asyncio

from deploy.sandbox.answering import Answer
from deploy.sandbox.catalogue import Catalogue
from deploy.sandbox.catalogue.series_index import Series
from deploy.sandbox.keepa_time import minute_of
from deploy.sandbox.params import Params

TOKENS = 50
MOST_IN_ROOT, MOST_IN_CATEGORY = 100_000, 10_000
RANGES = frozenset({0, 30, 90, 180})
YIELD_EVERY = 200


class BestSellers:
    """Ranks the catalogue within one category."""

    gated = True

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def answer(self, params: Params, now_ms: int, /) -> Answer:
        """Return ``bestSellersList``, best rank first, or null for an unknown category."""
        domain = params.domain()
        category = params.integer("category")
        if category is None or params.integer("range", 0) not in RANGES:
            raise params.refused("category" if category is None else "range")
        node = self._catalogue.tree.get(category)
        if node is None:
            return Answer({"bestSellersList": None}, 0, 40)
        limit = MOST_IN_CATEGORY if node.parent else MOST_IN_ROOT
        listed = {
            "domainId": domain,
            "lastUpdate": minute_of(now_ms),
            "categoryId": category,
            "asinList": (await self._ranked(category, domain))[:limit],
        }
        return Answer({"bestSellersList": listed}, TOKENS, 400)

    async def _ranked(self, category: int, domain: int) -> list[str]:
        ranked: list[tuple[int, str]] = []
        for number, asin in enumerate(self._catalogue.asins()):
            item = self._catalogue.find(asin)
            if item and item.domain == domain and category in item.facts["categories"]:
                rank = item.stat("current", Series.SALES)
                ranked += [(rank, asin)] if rank > 0 else []
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
        return [asin for _, asin in sorted(ranked)]
