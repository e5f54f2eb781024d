"""Keepa's clock: starts at the system's, may run faster or stand still, and never goes back."""

import time
from collections.abc import Callable

FASTEST = 10_000.0
FARTHEST_MS = 86_400_000
"""A day at once; a short tick has many ticks in it."""
NS_PER_MS = 1_000_000


class Clock:
    """The instant by which tokens refill and answers are stamped, in unix milliseconds.

    Faults and latencies are felt by a client, who lives in real time: `real_seconds` converts.

    Args:
        scale: How many of its milliseconds pass in a real one; 0 stands still.
        steady_ns: A clock that never goes back; the machine's own unless a test has another.
    """

    def __init__(
        self,
        *,
        scale: float = 1.0,
        start_ms: int | None = None,
        steady_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._steady_ns = steady_ns
        self._since_ns = steady_ns()
        self._then_ms = float(time.time_ns() // NS_PER_MS if start_ms is None else start_ms)
        self.scale = scale

    def __call__(self) -> int:
        """Return the present."""
        return int(self._now_ms())

    def advance(self, milliseconds: int) -> None:
        """Let this much time pass at once; every tick within it happens."""
        if not 0 <= milliseconds <= FARTHEST_MS:
            raise ValueError("the clock moves forward only, by at most a day at once")
        self._restart(self._now_ms() + milliseconds)

    def set(self, now_ms: int) -> None:
        """Jump forward to an instant."""
        self.advance(now_ms - self())

    def run(self, scale: float) -> None:
        """Run at another speed from now on."""
        if not 0 <= scale <= FASTEST:
            raise ValueError(f"scale must be 0 to {FASTEST:g}")
        self._restart(self._now_ms())
        self.scale = scale

    def real_seconds(self, milliseconds: float) -> float:
        """Return how long a client waits while this much of the clock's time passes."""
        return milliseconds / 1_000 / self.scale if self.scale else 0.0

    def _now_ms(self) -> float:
        passed_ns = self._steady_ns() - self._since_ns
        return self._then_ms + passed_ns * self.scale / NS_PER_MS

    def _restart(self, now_ms: float) -> None:
        self._since_ns, self._then_ms = self._steady_ns(), now_ms
