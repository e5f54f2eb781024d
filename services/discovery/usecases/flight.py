"""One at a time: of all replicas that miss the same answer, one fetches and the others wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID, uuid4

from services.discovery.ports import Flights

LEASE = timedelta(seconds=15)
"""How long others wait for a fetcher that died; a living one prolongs it."""

_PROLONG_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.25


@asynccontextmanager
async def turn(flights: Flights, key: str) -> AsyncIterator[bool]:
    """Hold the only lease of a key inside a block, waiting for it first.

    Yields:
        Whether somebody else had it, so that the answer may be stored by now.
    """
    holder, pause, waited = uuid4(), _FIRST_PAUSE_SECONDS, False
    while not await flights.take(key, holder, duration=LEASE):
        waited = True
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE_SECONDS, 1.5 * pause)
    keeper = asyncio.create_task(_prolong(flights, key, holder), name=f"lease {key}")
    try:
        yield waited
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await flights.drop(key, holder)


async def _prolong(flights: Flights, key: str, holder: UUID) -> None:
    while True:
        await asyncio.sleep(_PROLONG_SECONDS)
        await flights.take(key, holder, duration=LEASE)
