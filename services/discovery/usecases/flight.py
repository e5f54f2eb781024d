"""One at a time: of all replicas that miss the same answer, one fetches and the others wait."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from services.chassis.cancelling import end
from services.discovery.domain.errand import Errand, Priority
from services.discovery.ports import Flights

T = TypeVar("T")
LEASE = timedelta(seconds=10)
"""How long others wait for a fetcher that died; a living one prolongs it."""

HASTE_SECONDS = 5.0
"""How long a person waits for another's turn, beside what they are ready to wait anyway."""

LONGEST_SECONDS = 90.0
"""How long a turn is prolonged: longer than an answer takes. Who has it longer than that tells what
it brought to somebody who has stopped reading, and others need not wait for them."""

_PROLONG_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.15


@asynccontextmanager
async def turn(
    flights: Flights, key: str, look: Callable[[], Awaitable[T | None]], errand: Errand
) -> AsyncIterator[T | None]:
    """Hold the only lease of a key inside a block, or bring what its holder stored.

    A block that takes longer than `LONGEST_SECONDS` goes on without its lease.

    Those who waited look at once, all together, when the lease is given back; only who then
    finds nothing competes for it again. The holder may be a job that waits for tokens, so a
    person goes without the lease in the end: the gateway lets one of two equal calls out.

    Args:
        flights: The leases.
        key: What is fetched.
        look: Reads what is stored; None when that is not all of it.
        errand: Who asks.

    Yields:
        What somebody else stored meanwhile; None when it is this one's turn to fetch.
    """
    holder, until = uuid4(), asyncio.get_running_loop().time() + _patience(errand)
    while not await flights.take(key, holder, duration=LEASE):
        free = await _until_free(flights, key, until)
        found = await look()
        if found is not None or not free:
            yield found
            return
    keeper = asyncio.create_task(_prolong(flights, key, holder), name=f"lease {key}")
    try:
        # Somebody may have stored it between our first look and the lease.
        yield await look()
    finally:
        await end(keeper)
        await flights.drop(key, holder)


def _patience(errand: Errand) -> float:
    """How long somebody waits for a turn; a job has no use for an answer out of its turn."""
    if errand.priority is not Priority.INTERACTIVE:
        return float("inf")
    return HASTE_SECONDS + errand.max_wait.total_seconds()


async def _until_free(flights: Flights, key: str, until: float) -> bool:
    """Wait for the end of a lease; False when it still runs at an instant of the loop's clock."""
    pause, clock = _FIRST_PAUSE_SECONDS, asyncio.get_running_loop().time
    while await flights.busy(key):
        if clock() >= until:
            return False
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE_SECONDS, 1.5 * pause)
    return True


async def _prolong(flights: Flights, key: str, holder: UUID) -> None:
    clock = asyncio.get_running_loop().time
    until = clock() + LONGEST_SECONDS
    while clock() < until:
        await asyncio.sleep(_PROLONG_SECONDS)
        await flights.take(key, holder, duration=LEASE)
