"""One at a time: of all replicas that miss the same answer, one fetches and the others wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from services.discovery.ports import Flights

T = TypeVar("T")
LEASE = timedelta(seconds=10)
"""How long others wait for a fetcher that died; a living one prolongs it."""

_PROLONG_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.15


@asynccontextmanager
async def turn(
    flights: Flights, key: str, look: Callable[[], Awaitable[T | None]]
) -> AsyncIterator[T | None]:
    """Hold the only lease of a key inside a block, or bring what its holder stored.

    Those who waited look at once, all together, when the lease is given back; only who then
    finds nothing competes for it again.

    Args:
        flights: The leases.
        key: What is fetched.
        look: Reads what is stored; None when that is not all of it.

    Yields:
        What somebody else stored meanwhile; None when it is this one's turn to fetch.
    """
    holder = uuid4()
    while not await flights.take(key, holder, duration=LEASE):
        await _until_free(flights, key)
        found = await look()
        if found is not None:
            yield found
            return
    keeper = asyncio.create_task(_prolong(flights, key, holder), name=f"lease {key}")
    try:
        # Somebody may have stored it between our first look and the lease.
        yield await look()
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await flights.drop(key, holder)


async def _until_free(flights: Flights, key: str) -> None:
    pause = _FIRST_PAUSE_SECONDS
    while await flights.busy(key):
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE_SECONDS, 1.5 * pause)


async def _prolong(flights: Flights, key: str, holder: UUID) -> None:
    while True:
        await asyncio.sleep(_PROLONG_SECONDS)
        await flights.take(key, holder, duration=LEASE)
