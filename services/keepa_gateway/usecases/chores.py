"""Chores that nobody waits for: forgetting what is too old to be asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from services.chassis import telemetry
from services.keepa_gateway.ports import Turn

EVERY_SECONDS = 3600.0
_log = telemetry.get_logger(__name__)


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
                    await self.once()
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> None:
        """Run every purge; one that fails keeps no other back, and is tried again in an hour."""
        for purge in self._purges:
            try:
                await purge()
            except Exception as error:  # noqa: BLE001 - the border of a chore
                _log.warning(
                    "purge failed",
                    purge=getattr(purge, "__qualname__", repr(purge)),
                    exc_info=error,
                )
