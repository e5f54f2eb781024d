"""Fetching anew in the background what was given although it had expired."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager

from services.chassis import telemetry
from services.chassis.errors import Refusal

MOST_AT_ONCE = 64
"""Renewals of one replica: nobody waits for them, so nothing else would hold them back."""

_log = telemetry.get_logger(__name__)


class Renewals:
    """Runs at most one renewal of each answer at a time, and not too many of all.

    What was refused, or not begun, is renewed for the next who is given an old answer.
    """

    def __init__(self, detached: Callable[[], AbstractContextManager[object]]) -> None:
        """Take a block inside which tasks begin that outlive the call that is running."""
        self._detached = detached
        self._running: dict[str, asyncio.Task[None]] = {}

    def begin(self, key: str, renew: Callable[[], Awaitable[object]]) -> None:
        """Begin to renew an answer, unless that has begun, or too many others have."""
        if key in self._running:
            return
        if len(self._running) >= MOST_AT_ONCE:
            _log.info("answer not renewed", key=key, reason="BUSY")
            return
        with self._detached():
            task = asyncio.create_task(_run(key, renew), name=f"renew {key}")
        self._running[key] = task
        task.add_done_callback(lambda _: self._running.pop(key, None))

    async def finish(self) -> None:
        """Wait until everything that was begun has ended."""
        if self._running:
            await asyncio.wait(set(self._running.values()))


async def _run(key: str, renew: Callable[[], Awaitable[object]]) -> None:
    try:
        await renew()
    except Refusal as refusal:
        _log.info("answer not renewed", key=key, reason=refusal.reason)
