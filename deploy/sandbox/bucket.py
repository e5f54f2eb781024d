"""Keepa's token bucket: whole tokens, refilled in steps, allowed to be in debt."""

import random
from collections.abc import Callable
from dataclasses import dataclass

TICK_MS = 60_200
MINUTES_A_TOKEN_LIVES = 60

Lateness = Callable[[], int]


def on_time() -> int:
    """Let every tick happen at the millisecond it was announced for."""
    return 0


def sometimes_late(rng: random.Random, tick_ms: int) -> Lateness:
    """Return how late each tick comes, in the shares of the recorded envelopes.

    Most ticks come within 5 ms, one in sixteen up to 46 ms late, and very few 267 ms.
    A shortened tick is late in proportion.
    """

    def lateness() -> int:
        draw = rng.random()
        if draw < 0.002:
            late = 267
        elif draw < 0.064:
            late = rng.randint(6, 46)
        else:
            late = rng.randint(0, 5)
        return late * min(tick_ms, TICK_MS) // TICK_MS

    return lateness


@dataclass(frozen=True)
class Refill:
    """What the ticks since the last look brought.

    Attributes:
        ticks: How many there were.
        added: Tokens that went in.
        overflowed: Tokens that found the bucket full and are lost.
    """

    ticks: int
    added: int
    overflowed: int


class Bucket:
    """One account's tokens at one instant; the caller moves the instant forward.

    Source:
        keepa_api.md 1.1 and 1.2. Times are unix milliseconds.
    """

    def __init__(
        self,
        *,
        rate: int,
        left: int,
        first_tick_ms: int,
        tick_ms: int = TICK_MS,
        lateness: Lateness = on_time,
    ) -> None:
        self.rate = rate
        self.left = left
        self.flow_reduction = 0.0
        self.tick_ms = tick_ms
        self._lateness = lateness
        self._thousandths = 0
        self._due_ms = first_tick_ms
        self._happens_ms = first_tick_ms + lateness()

    @property
    def capacity(self) -> int:
        """The most tokens the bucket holds: each lives an hour."""
        return MINUTES_A_TOKEN_LIVES * self.rate

    @property
    def due_ms(self) -> int:
        """The announced instant of the next tick."""
        return self._due_ms

    def advance(self, now_ms: int) -> Refill:
        """Let every tick up to and including ``now_ms`` happen."""
        ticks = added = overflowed = 0
        while self._happens_ms <= now_ms:
            gained, lost = self._tick()
            ticks, added, overflowed = ticks + 1, added + gained, overflowed + lost
            self._due_ms = self._happens_ms + self.tick_ms
            self._happens_ms = self._due_ms + self._lateness()
        return Refill(ticks, added, overflowed)

    def refill_in_ms(self, now_ms: int) -> int:
        """Return the milliseconds to the next tick; it also runs on when the bucket is full."""
        return max(0, self._due_ms - now_ms)

    def spend(self, tokens: int) -> None:
        """Take ``tokens``, into debt if there are not enough: the gate was passed before."""
        assert tokens >= 0
        self.left -= tokens

    def give(self, tokens: int) -> None:
        """Add ``tokens`` that no tick brought; above the capacity they are lost with the next."""
        assert tokens >= 0
        self.left += tokens

    def change_plan(self, *, rate: int, flow_reduction: float) -> None:
        """Switch to another plan; tokens above its capacity are lost with the next tick."""
        self.rate = rate
        self.flow_reduction = flow_reduction

    def _tick(self) -> tuple[int, int]:
        """Add one step of the net rate; returns what went in and what was lost."""
        self._thousandths += max(0, 1_000 * self.rate - round(1_000 * self.flow_reduction))
        step, self._thousandths = divmod(self._thousandths, 1_000)
        before = self.left
        self.left = min(self.capacity, before + step)
        gained = self.left - before
        return gained, step - gained
