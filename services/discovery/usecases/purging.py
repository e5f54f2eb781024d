"""Forgetting: once a day what has expired, and at once what somebody wants to be forgotten."""

import asyncio

from services.discovery.domain.criteria import digest
from services.discovery.domain.health import Purged
from services.discovery.ports import Caches, Drawer, Kept
from services.discovery.usecases.keeping import Ask

DAY_SECONDS = 24 * 3600.0
CACHES = ("discovery", "scoring")


class Purger:
    """Keeps the caches small."""

    def __init__(self, caches: Caches, kept: Kept) -> None:
        self._caches = caches
        self._kept = kept

    async def run(self) -> None:
        """Purge now, and then every day."""
        while True:
            await self._caches.purge()
            await asyncio.sleep(DAY_SECONDS)

    async def purge(self, ask: Ask, cache: str, *, include_fresh: bool) -> Purged:
        """Forget the expired entries of a cache, or all of them; of both when none is named.

        A chunk at a time, so that nobody waits for long. One that was cut off is not known:
        repeated, it forgets the rest.
        """
        wanted = (cache,) if cache else CACHES
        question = digest("purge", (wanted, include_fresh))
        known = await self._kept.recalled(ask.id, question, Purged)
        if known is not None:
            return known
        gone = Purged()
        for name in wanted:
            async for chunk in self._kept.purge(name, include_fresh=include_fresh):
                gone += chunk

        async def tell(_: Drawer) -> Purged:
            return gone

        return await self._kept.once(ask.id, question, Purged, tell)
