"""Chores that nobody waits for: forgetting what is too old to be asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from services.keepa_gateway.ports import Turn

EVERY_SECONDS = 3600.0


class Chores:
    """Runs every purge once an hour, on one replica."""

    def __init__(self, turn: Turn, purges: Sequence[Callable[[], Awaitable[None]]]) -> None:
        self._turn = turn
        self._purges = purges

    async def run(self) -> None:
        """Purge for ever."""
        while True:
            async with self._turn.take("chores") as mine:
                if mine:
                    for purge in self._purges:
                        await purge()
            await asyncio.sleep(EVERY_SECONDS)
