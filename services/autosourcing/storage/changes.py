"""Wakes whoever waits for a job to change, through the database's own notifications."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from services.chassis.sql import Bell

CHANNEL = "autosourcing_jobs"
_LONGEST_SLEEP_SECONDS = 30.0


class PostgresEar:
    """One listener: remembers only that something happened, so it needs no room."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Tell the listener that something changed."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Sleep until it rings, or for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()


class PostgresChanges:
    """Implements ``ports.Changes`` with one connection for all listeners of the process."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._ears: set[PostgresEar] = set()

    async def run(self) -> None:
        """Pass on every ring of the bell, for ever."""
        while True:
            await self._bell.wait(_LONGEST_SLEEP_SECONDS)
            for ear in self._ears:
                ear.ring()

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[PostgresEar]:
        """Listen for the length of a block."""
        ear = PostgresEar()
        self._ears.add(ear)
        try:
            yield ear
        finally:
            self._ears.discard(ear)
