"""GET or POST /deal: 150 deals a page; 5 tokens, also for none."""

import asyncio
import json
from collections import Counter
from typing import Any

from deploy.sandbox.answering import Answer
from deploy.sandbox.catalogue import Catalogue, Item
from deploy.sandbox.deals import Deal, DealSelection, deal_of, parse_deals
from deploy.sandbox.endpoints.selections import read_selection
from deploy.sandbox.keepa_time import minute_of
from deploy.sandbox.params import Params

TOKENS = 5
DEALS_PER_PAGE = 150
CACHED_MS = 120_000
SLICE = 4


class Deals:
    """Finds products whose price left its averages; a selection's deals are kept for 120 s."""

    gated = True

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._kept: dict[str, tuple[int, list[Item]]] = {}

    async def answer(self, params: Params, now_ms: int, /) -> Answer:
        """Return one page of ``deals`` with the root categories of all of them."""
        fields = read_selection(params.text("selection"))
        selection = parse_deals(fields)
        question = json.dumps({**fields, "page": 0}, sort_keys=True)
        kept = self._kept.get(question)
        cached = kept is not None and now_ms - kept[0] < CACHED_MS
        found = kept[1] if kept and cached else await self._find(selection, minute_of(now_ms))
        if not cached:
            self._kept = {question: (now_ms, found)}
        first = selection.page * DEALS_PER_PAGE
        page = await self._told(found[first : first + DEALS_PER_PAGE], selection.kind)
        deals = {"dr": page, "drDateIndex": []} | self._shelves(found)
        return Answer({"deals": deals, "dealsCached": cached}, TOKENS, 800)

    async def _find(self, selection: DealSelection, minute: int) -> list[Item]:
        found: list[tuple[tuple[int, str], Item]] = []
        for number, asin in enumerate(self._catalogue.asins()):
            item = self._catalogue.find(asin)
            if item and item.facts["title"] and selection.may_hold(item, minute):
                rank = selection.rank(item)
                found += [(rank, item)] if rank else []
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        return [item for _, item in sorted(found, key=lambda entry: entry[0])]

    async def _told(self, items: list[Item], kind: int) -> list[Deal]:
        """Return the deal objects, whose histories take a while to tell."""
        deals: list[Deal] = []
        for item in items:
            deals.append(deal_of(item, kind))
            await asyncio.sleep(0)
        return deals

    def _shelves(self, found: list[Item]) -> dict[str, Any]:
        counted = Counter(item.facts["rootCategory"] for item in found)
        names = {id_: node.name for id_, node in self._catalogue.tree.items()}
        return {
            "categoryIds": list(counted),
            "categoryNames": [names.get(id_, "?") for id_ in counted],
            "categoryCount": list(counted.values()),
        }
