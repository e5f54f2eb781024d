"""Forgetting what has expired, once a day."""

import asyncio

from services.discovery.ports import Caches

DAY_SECONDS = 24 * 3600.0


class Purger:
    """Keeps the caches small."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches

    async def run(self) -> None:
        """Purge now, and then every day."""
        while True:
            await self._caches.purge()
            await asyncio.sleep(DAY_SECONDS)
