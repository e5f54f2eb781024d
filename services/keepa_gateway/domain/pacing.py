"""When the next request may go out: the rate throttle, and the pause after a 429."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.keepa_gateway.domain.envelope import Observation

# Ticks were seen up to 46 ms late each and once 267 ms: later is certain, earlier is a wasted call.
TICK_STRETCH = 1.001
TICK_MARGIN = timedelta(milliseconds=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """A generic cell rate limiter as one instant, shared by all replicas.

    Attributes:
        full_at: When the whole burst is there again, if nothing is taken until then.
        interval: Between two requests at the steady rate.
        burst: Requests that may go out at once after a rest.
    """

    full_at: datetime
    interval: timedelta
    burst: int

    def take(self, now: datetime, *, kept_back: int = 0) -> "Throttle | timedelta":
        """Take one place, or say how long until there is one.

        ``kept_back`` places of the burst are left to more urgent callers.
        """
        burst = max(1, self.burst - kept_back)
        full_at = max(self.full_at, now) + self.interval
        wait = full_at - now - burst * self.interval
        if wait > timedelta(0):
            return wait
        return replace(self, full_at=full_at)

    def places(self, now: datetime) -> int:
        """How many requests could go out at once."""
        owed = max(self.full_at - now, timedelta(0))
        return max(0, (self.burst * self.interval - owed) // self.interval)


def pause(observation: Observation | None, tick: timedelta) -> timedelta:
    """How long nobody may call after a 429, counted from its arrival.

    A debt takes several ticks; without a believable balance one whole tick is waited. ``tick`` is
    the length of a refill interval, 60.2 s at Keepa itself.
    """
    if observation is None:
        return tick * TICK_STRETCH + TICK_MARGIN
    net = observation.refill_rate - observation.flow_reduction
    missing = max(1, 1 - observation.tokens_left)
    ticks = -(-missing // net) if net > 0 else missing
    refill = min(timedelta(milliseconds=observation.refill_in_ms), tick)
    return refill + (ticks - 1) * tick * TICK_STRETCH + TICK_MARGIN
