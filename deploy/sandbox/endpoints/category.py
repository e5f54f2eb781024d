"""GET /category: up to 10 categories for 1 token, or all roots with id 0."""

import asyncio
from collections import Counter
from typing import Any

from deploy.sandbox.answering import Answer
from deploy.sandbox.catalogue import Catalogue
from deploy.sandbox.catalogue.series_index import Series
from deploy.sandbox.catalogue.taxonomy import Category
from deploy.sandbox.params import Params

TOKENS = 1
MOST_IDS = 10
YIELD_EVERY = 200


class Shelves:
    """Keepa's category objects, with what the catalogue holds in each."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._books: Counter[int] | None = None
        self._ranks: dict[int, tuple[int, int]] = {}

    async def described(self, ids: list[int], domain: int) -> dict[str, Any]:
        """Return the known ones of ``ids`` by id, as Keepa's objects."""
        await self._count()
        tree = self._catalogue.tree
        return {str(id_): self._object(tree[id_], domain) for id_ in ids if id_ in tree}

    def parents(self, ids: list[int]) -> list[int]:
        """Return every category above the given ones, nearest first."""
        tree = self._catalogue.tree
        found: dict[int, None] = {}
        for id_ in ids:
            node = tree.get(id_)
            while node and node.parent:
                node = tree[node.parent]
                found[node.id] = None
        return list(found)

    def _object(self, category: Category, domain: int) -> dict[str, Any]:
        children = [node.id for node in self._catalogue.tree.values() if node.parent == category.id]
        lowest, highest = self._ranks.get(category.id, (-1, -1))
        assert self._books is not None
        return {
            "domainId": domain,
            "catId": category.id,
            "name": category.name,
            "contextFreeName": category.name,
            "websiteDisplayGroup": "book_display_on_website",
            "children": children or None,
            "parent": category.parent,
            "isBrowseNode": True,
            "highestRank": highest,
            "lowestRank": lowest,
            "productCount": self._books[category.id],
        }

    async def _count(self) -> None:
        """Count the products and find the ranks of every category, once."""
        if self._books is not None:
            return
        books: Counter[int] = Counter()
        for number, asin in enumerate(self._catalogue.asins()):
            item = self._catalogue.find(asin)
            for category in set(item.facts["categories"]) if item else ():
                books[category] += 1
                self._rank(category, item.stat("current", Series.SALES) if item else -1)
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
        self._books = books

    def _rank(self, category: int, rank: int) -> None:
        if rank > 0:
            low, high = self._ranks.get(category, (rank, rank))
            self._ranks[category] = min(low, rank), max(high, rank)


class CategoryLookup:
    """Looks categories up by id."""

    gated = True

    def __init__(self, catalogue: Catalogue, shelves: Shelves) -> None:
        self._catalogue = catalogue
        self._shelves = shelves

    async def answer(self, params: Params, _now_ms: int, /) -> Answer:
        """Return ``categories`` by id, and with ``parents=1`` also ``categoryParents``."""
        domain = params.domain()
        ids = params.listing("category", MOST_IDS)
        if not ids or not all(id_.isdecimal() for id_ in ids):
            raise params.refused("category")
        wanted = self._roots() if ids == ["0"] else [int(id_) for id_ in ids]
        payload: dict[str, Any] = {"categories": await self._shelves.described(wanted, domain)}
        if params.flag("parents"):
            above = self._shelves.parents(wanted)
            payload["categoryParents"] = await self._shelves.described(above, domain)
        return Answer(payload, TOKENS, 60)

    def _roots(self) -> list[int]:
        return [node.id for node in self._catalogue.tree.values() if not node.parent]
