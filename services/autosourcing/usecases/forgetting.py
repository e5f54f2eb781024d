"""Forgetting what nobody asks for any more."""

import asyncio
from datetime import timedelta

from services.autosourcing.ports import Kept, Past
from services.chassis import telemetry

KEPT = Kept(
    requests=timedelta(days=30),
    slots=timedelta(days=400),
    moments=timedelta(days=30),
    sightings=timedelta(days=400),  # AUTOSOURCING_RECENT_WINDOW_DAYS is 365 at the most.
)
EVERY_SECONDS = 3600.0
_log = telemetry.get_logger(__name__)


class Forgetting:
    """Keeps the tables of what is passed from growing for ever."""

    def __init__(self, past: Past) -> None:
        self._past = past

    async def run(self) -> None:
        """Forget now, and then every hour; any number of replicas may."""
        while True:
            if gone := await self._past.forget(KEPT):
                _log.info("the past forgotten", count=gone)
            await asyncio.sleep(EVERY_SECONDS)
