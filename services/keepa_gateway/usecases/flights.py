"""What this process is asking Keepa for right now, so that others can wait for the same answer."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.keepa_gateway.domain.attempt import Attempt, Spending
from services.keepa_gateway.usecases.paid import Paid

Landing = Attempt | None
"""The attempt that ended, or nothing when its leader gave up before it was sent."""

# How long those wait who are more urgent than a leader that may wait for its turn, or less
# patient: usually it is gone by then.
GRACE_SECONDS = 0.5


@dataclass(eq=False, slots=True)
class Flight:
    """A question that somebody leads to its answer.

    Attributes:
        spending: How long the leader may wait before it is sent, and how urgent it is.
        sent: Done when the leader waits for nothing but the answer.
        landed: What became of it.
    """

    spending: Spending
    sent: "asyncio.Future[None]" = field(default_factory=asyncio.Future)
    landed: "asyncio.Future[Landing]" = field(default_factory=asyncio.Future)

    def suits(self, spending: Spending) -> bool:
        """Whether its leader is as urgent as somebody else, and waits no longer."""
        own = self.spending
        return own.priority <= spending.priority and own.max_wait <= spending.max_wait

    def land(self, landing: Landing) -> None:
        """Let everybody go on who waits for it."""
        self.depart()
        if not self.landed.done():
            self.landed.set_result(landing)

    def depart(self) -> None:
        """Tell that its leader waits for nothing but the answer."""
        if not self.sent.done():
            self.sent.set_result(None)


class Flights:
    """The requests of this process that are on their way, by key."""

    def __init__(self) -> None:
        self._leading: dict[str, Flight] = {}

    def find(self, key: str) -> Flight | None:
        """The flight of a key, when there is one."""
        return self._leading.get(key)

    def board(self, keys: Iterable[str], spending: Spending) -> list[str]:
        """Take the lead for the keys that nobody leads yet, and return them."""
        taken = [key for key in keys if key not in self._leading]
        for key in taken:
            self._leading[key] = Flight(spending)
        return taken

    def depart(self, keys: Iterable[str]) -> None:
        """Tell that a call is sent."""
        for key in keys:
            flight = self._leading.get(key)
            if flight is not None:
                flight.depart()

    async def join(self, key: str, flight: Flight, spending: Spending, until: float) -> Landing:
        """Wait for what becomes of a flight.

        One whose leader waits for its turn, longer than we may or behind us, is left to its
        leader at ``until``, an instant of the loop's clock; then the lead is free.
        """
        if not flight.suits(spending):
            left = max(0.0, until - asyncio.get_running_loop().time())
            await asyncio.wait({flight.sent}, timeout=left)
            if not flight.sent.done():
                self._overtake(key, flight)
        return await asyncio.shield(flight.landed)

    def land(self, keys: Iterable[str], landing: Landing) -> None:
        """Let everybody go on who waits for these keys."""
        for key in keys:
            flight = self._leading.pop(key, None)
            if flight is not None:
                flight.land(landing)

    def _overtake(self, key: str, flight: Flight) -> None:
        """Free the lead of a key; the claims see to it that only one of the two calls is sent."""
        if self._leading.get(key) is flight:
            del self._leading[key]
        flight.land(None)


def landing(done: "asyncio.Future[Paid]") -> Landing:
    """What those who waited for a section learn from it."""
    if done.cancelled() or done.exception() is not None:
        return None
    return done.result().attempt
