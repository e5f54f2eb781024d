"""GET or POST /query: the Product Finder; 10 tokens and 1 for every started 100 ASINs.

With ``stats=1`` it says what all matches have in common, for 30 and 1 for every started million.
"""

import asyncio
from typing import Any

from deploy.sandbox.answering import Answer
from deploy.sandbox.catalogue import Catalogue, Item
from deploy.sandbox.endpoints.selections import read_selection
from deploy.sandbox.finder import Selection, parse_selection
from deploy.sandbox.insights import insights_of
from deploy.sandbox.params import Params

BASE_TOKENS = 10
ASINS_PER_TOKEN = 100
INSIGHTS_TOKENS = 30
MATCHES_PER_TOKEN = 1_000_000
SLICE = 4


class Query:
    """Finds the products that a selection asks for."""

    gated = True

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def answer(self, params: Params, _now_ms: int, /) -> Answer:
        """Return one page of ``asinList`` and how many there are in all."""
        domain, insights = params.domain(), params.flag("stats")
        selection = parse_selection(read_selection(params.text("selection")))
        matches = await self._matches(selection, domain)
        found = [item.asin for item in selection.sorted(matches)]
        first = selection.page * selection.per_page
        page = found[first : first + selection.per_page]
        tokens = BASE_TOKENS + -(-len(page) // ASINS_PER_TOKEN)
        payload: dict[str, Any] = {"asinList": page, "totalResults": len(found)}
        if insights:
            payload["searchInsights"] = await insights_of(matches)
            tokens += INSIGHTS_TOKENS + -(-len(found) // MATCHES_PER_TOKEN)
        return Answer(payload, tokens, 750)

    async def _matches(self, selection: Selection, domain: int) -> list[Item]:
        matches: list[Item] = []
        for number, asin in enumerate(self._catalogue.asins()):
            item = self._catalogue.find(asin)
            if item and item.domain == domain and selection.accepts(item):
                matches.append(item)
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        return matches
