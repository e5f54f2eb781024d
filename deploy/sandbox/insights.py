"""What all matches of a finder selection have in common: Keepa's search insights."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from deploy.sandbox.catalogue import Item
from deploy.sandbox.catalogue.sellers import AMAZON_SELLER
from deploy.sandbox.catalogue.series_index import Series

MOST_NAMED = 10
YIELD_EVERY = 50


async def insights_of(items: Sequence[Item]) -> dict[str, Any]:
    """Return averages over the matches, with names as Keepa uses them for a category.

    Source:
        keepa_api.md 3.10; that ``searchInsights`` has the same fields is an assumption.
    """
    sellers: Counter[str] = Counter()
    brands: Counter[str] = Counter()
    amazon = 0
    for number, item in enumerate(items):
        offering = set(item.sellers())
        sellers.update(offering)
        brands.update([str(item.facts.get("brand") or "")])
        amazon += AMAZON_SELLER in offering
        if number % YIELD_EVERY == YIELD_EVERY - 1:
            await asyncio.sleep(0)
    return {
        "avgBuyBox": _average(items, Series.BUY_BOX_SHIPPING),
        "avgOfferCountNew": _average(items, Series.COUNT_NEW),
        "avgOfferCountUsed": _average(items, Series.COUNT_USED),
        "soldByAmazonPercent": 100 * amazon / len(items) if items else -1,
        "sellerCount": len(sellers),
        "brandCount": len(brands),
        "topBrands": [brand for brand, _ in brands.most_common(MOST_NAMED)],
        "topSellers": [seller for seller, _ in sellers.most_common(MOST_NAMED)],
    }


def _average(items: Sequence[Item], index: int) -> int:
    present = [value for item in items if (value := item.stat("current", index)) >= 0]
    return round(sum(present) / len(present)) if present else -1
