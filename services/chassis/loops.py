"""Work that goes on beside the calls, restarted when it fails."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nats.errors import Error as NatsError

from services.chassis import sql, telemetry

_SHORTEST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_STEADY_SECONDS = 30.0
_log = telemetry.get_logger(__name__)


@dataclass(frozen=True)
class Loop:
    """One such piece of work.

    Attributes:
        name: For the log.
        run: Restarted with a growing pause when it raises; cancelled at stop. One that returns
            is done.
    """

    name: str
    run: Callable[[], Awaitable[None]]


async def supervise(loop: Loop) -> None:
    """Run a loop for ever; the pause after a failure doubles up to 5 s and is never exact.

    A run that lasted 30 s was sound, so the next failure starts with a short pause again.
    """
    pause = _SHORTEST_PAUSE_SECONDS
    while True:
        began = time.monotonic()
        try:
            await loop.run()
        except Exception as error:  # noqa: BLE001 - the border of a loop
            _report(loop, error)
        else:
            _log.debug("loop ended", loop=loop.name)
            return
        if time.monotonic() - began > _STEADY_SECONDS:
            pause = _SHORTEST_PAUSE_SECONDS
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - only spreads retries
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _report(loop: Loop, error: Exception) -> None:
    """A database or a broker that is away is no bug: one line, without the trace."""
    if sql.unavailable(error) or isinstance(error, OSError | TimeoutError | NatsError):
        _log.warning("loop interrupted", loop=loop.name, error=str(error).splitlines()[:1])
    else:
        _log.error("loop failed", loop=loop.name, exc_info=error)
