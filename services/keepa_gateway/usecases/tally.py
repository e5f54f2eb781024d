"""Counts what the store answered; written together, as a write for each hit would cost more."""

import asyncio

from services.keepa_gateway.ports import Gate

FLUSH_SECONDS = 1.0


class Tally:
    """Hits since the last write."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._hits = 0
        self._saved = 0

    def hits(self, count: int, tokens_each: int) -> None:
        """Count some products that cost nothing because they were stored."""
        self._hits += count
        self._saved += count * tokens_each

    async def flush(self) -> None:
        """Write what was counted."""
        if not self._hits:
            return
        hits, saved, self._hits, self._saved = self._hits, self._saved, 0, 0
        await self._gate.count_hits(hits, saved)

    async def run(self) -> None:
        """Write once a second."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
