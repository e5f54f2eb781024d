"""Finding products: from the cache for nothing, else from Keepa, once for all who ask."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from services.chassis.errors import Kind, Refusal
from services.discovery.domain.answers import Listing
from services.discovery.domain.criteria import Filter
from services.discovery.domain.errand import Errand
from services.discovery.ports import Flights, Gateway, Lists
from services.discovery.usecases.flight import turn

STORED = timedelta(hours=24)
NOTHING_STORED = timedelta(0)


class Finder:
    """Answers filters with lists of ASINs."""

    def __init__(self, lists: Lists, flights: Flights, gateway: Gateway) -> None:
        self._lists = lists
        self._flights = flights
        self._gateway = gateway

    async def find(
        self,
        call_id: UUID,
        wanted: Filter,
        errand: Errand,
        *,
        force_refresh: bool = False,
        cache_only: bool = False,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> Listing:
        """Give the stored list, or ask Keepa for a new one and keep it.

        Args:
            call_id: Names the paid call; the same one is never paid twice.
            wanted: The filter.
            errand: Who pays.
            force_refresh: Ask Keepa whatever is stored.
            cache_only: Never ask Keepa; an answer of any age will do.
            before: Awaited before Keepa is asked; its refusal ends the search.

        Raises:
            Refusal: CACHE_MISS, or the gateway's or budget's own.
        """
        if cache_only:
            known = await self.last(wanted)
            if known is None:
                raise _miss()
            return known
        known = None if force_refresh else await self._lists.read(wanted.key)
        if known is not None:
            return known

        async def look() -> Listing | None:
            return None if force_refresh else await self._lists.read(wanted.key)

        async with turn(self._flights, wanted.key, look, errand) as found:
            if found is not None:
                return found
            if before is not None:
                await before()
            max_age = NOTHING_STORED if force_refresh else STORED
            listing = await self._gateway.find(call_id, wanted, errand, max_age=max_age)
            return await self._lists.write(wanted, listing)

    async def last(self, wanted: Filter) -> Listing | None:
        """Give the stored list, of any age."""
        return await self._lists.last(wanted.key)


def _miss() -> Refusal:
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "CACHE_MISS",
        "No answer to this search is stored, and asking Keepa was not allowed.",
    )
