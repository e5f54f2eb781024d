"""GET /search: categories by name for 1 token, products by title for 10."""

import asyncio
from dataclasses import replace

from deploy.sandbox.answering import Answer
from deploy.sandbox.catalogue import Catalogue
from deploy.sandbox.catalogue.series_index import Series
from deploy.sandbox.endpoints.category import Shelves
from deploy.sandbox.endpoints.product import Product
from deploy.sandbox.params import Params

CATEGORY_TOKENS = 1
MOST_CATEGORIES = 50
PRODUCT_TOKENS = 10
MOST_PRODUCTS = 20
MOST_FOR_RATING = 5
YIELD_EVERY = 200


class Search:
    """Searches by words, all of which must occur."""

    gated = True

    def __init__(self, catalogue: Catalogue, shelves: Shelves, product: Product) -> None:
        self._catalogue = catalogue
        self._shelves = shelves
        self._product = product

    async def answer(self, params: Params, now_ms: int, /) -> Answer:
        """Return ``categories`` or ``products``, by ``type``."""
        domain = params.domain()
        words = params.required("term").casefold().split()
        kind = params.required("type")
        if kind == "category":
            return await self._categories(words, domain, parents=params.flag("parents"))
        if kind == "product":
            return await self._products(words, domain, params, now_ms)
        raise params.refused("type")

    async def _categories(self, words: list[str], domain: int, *, parents: bool) -> Answer:
        tree = self._catalogue.tree.values()
        ids = [node.id for node in tree if all(word in node.name.casefold() for word in words)]
        ids = ids[:MOST_CATEGORIES]
        payload: dict[str, object] = {"categories": await self._shelves.described(ids, domain)}
        if parents:
            above = self._shelves.parents(ids)
            payload["categoryParents"] = await self._shelves.described(above, domain)
        return Answer(payload, CATEGORY_TOKENS, 80)

    async def _products(
        self, words: list[str], domain: int, params: Params, now_ms: int, /
    ) -> Answer:
        asins = await self._titled(words, domain)
        if params.flag("asins-only"):
            return Answer({"asinList": asins}, PRODUCT_TOKENS, 500)
        plain = {"domain": str(domain), "asin": ",".join(asins)}
        plain |= {name: params.text(name) or "" for name in ("stats", "history", "rating")}
        if not asins:
            return Answer({"products": []}, PRODUCT_TOKENS, 500)
        found = await self._product.answer(Params(plain), now_ms)
        rated = min(MOST_FOR_RATING, found.tokens - len(asins))
        updated = len(asins) if params.integer("update", -1) in {0, 1} else 0
        return replace(found, tokens=PRODUCT_TOKENS + rated + updated)

    async def _titled(self, words: list[str], domain: int) -> list[str]:
        """Return the best ranked products whose titles hold every word."""
        found: list[tuple[int, str]] = []
        for number, asin in enumerate(self._catalogue.asins()):
            item = self._catalogue.find(asin)
            title = str(item.facts.get("title") or "").casefold() if item else ""
            if item and item.domain == domain and all(word in title for word in words):
                rank = item.stat("current", Series.SALES)
                found.append((rank if rank > 0 else 2**31, asin))
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
        return [asin for _, asin in sorted(found)[:MOST_PRODUCTS]]
