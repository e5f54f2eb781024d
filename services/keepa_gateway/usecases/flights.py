"""What this process has asked Keepa for right now, so that others can wait for the same answer."""

import asyncio
from collections.abc import Iterable

from services.keepa_gateway.domain.attempt import Attempt
from services.keepa_gateway.usecases.paid import Paid

Landing = Attempt | None
"""The attempt that ended, or nothing when its leader gave up before it was sent."""


class Flights:
    """The requests of this process that are out, by key."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[Landing]] = {}

    def find(self, key: str) -> "asyncio.Future[Landing] | None":
        """The flight of a key, when it is out."""
        return self._waiting.get(key)

    def board(self, keys: Iterable[str]) -> list[str]:
        """Take the lead for the keys that nobody leads yet, and return them."""
        taken = [key for key in keys if key not in self._waiting]
        for key in taken:
            self._waiting[key] = asyncio.get_running_loop().create_future()
        return taken

    def land(self, keys: Iterable[str], landing: Landing) -> None:
        """Let everybody go on who waits for these keys."""
        for key in keys:
            flight = self._waiting.pop(key, None)
            if flight is not None and not flight.done():
                flight.set_result(landing)


def landing(done: "asyncio.Future[Paid]") -> Landing:
    """What those who waited for a section learn from it."""
    if done.cancelled() or done.exception() is not None:
        return None
    return done.result().attempt
