"""Exporting: what a former search found, page by page, so that no search is too long for it."""

from collections.abc import AsyncIterator
from uuid import UUID

from services.discovery.domain.exports import Line
from services.discovery.domain.kept import not_found
from services.discovery.domain.past import Search
from services.discovery.ports import Searches

PAGE = 500


class Exporter:
    """Reads former searches for files; spends nothing."""

    def __init__(self, searches: Searches) -> None:
        self._searches = searches

    async def search(self, search_id: UUID) -> Search:
        """Read the search.

        Raises:
            Refusal: SEARCH_NOT_FOUND.
        """
        search = await self._searches.find(search_id)
        if search is None:
            raise not_found("SEARCH", "Search", f"searches/{search_id}")
        return search

    async def lines(self, search_id: UUID) -> AsyncIterator[list[Line]]:
        """Give what was found, best first, page by page."""
        start = 0
        while True:
            page = await self._searches.found(search_id, start=start, size=PAGE)
            yield [Line(asin, found) for asin, found in page]
            if len(page) < PAGE:
                return
            start += PAGE
