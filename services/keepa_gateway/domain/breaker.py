"""The circuit breaker: five failures in a row open it, three good trials close it again."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

FAILURES_TO_OPEN = 5
TRIALS_TO_CLOSE = 3
OPEN_FOR = timedelta(seconds=60)
TRIAL_PAUSE = timedelta(seconds=1)
"""Between two trials, and at most before the first one."""


class Circuit(StrEnum):
    """Where the breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    TRYING = "trying"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """The breaker as one value, shared by all replicas.

    Attributes:
        failures: Failures in a row while closed.
        trials: Good trials in a row since the opening.
        opened_until: No trial before this; nothing while closed.
    """

    failures: int = 0
    trials: int = 0
    opened_until: datetime | None = None

    def circuit(self, now: datetime) -> Circuit:
        """Where it stands at ``now``."""
        if self.opened_until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self.opened_until else Circuit.TRYING

    def closes_in(self, now: datetime) -> timedelta:
        """How long until it is closed when every trial succeeds; the last one ends before that."""
        if self.opened_until is None:
            return timedelta(0)
        trials = TRIALS_TO_CLOSE - self.trials + 1
        return max(self.opened_until - now, timedelta(0)) + trials * TRIAL_PAUSE

    def failed(self, now: datetime) -> "Breaker":
        """After one more failure; a failed trial opens it for the whole time again."""
        failures = self.failures + 1
        if self.circuit(now) is Circuit.OPEN:
            return self
        if self.opened_until is not None or failures >= FAILURES_TO_OPEN:
            return Breaker(failures=failures, opened_until=now + OPEN_FOR)
        return replace(self, failures=failures)

    def succeeded(self, now: datetime) -> "Breaker":
        """After one good answer; while trying, only the third in a row closes it."""
        if self.circuit(now) is Circuit.CLOSED:
            return self if self.failures == 0 else Breaker()
        if self.circuit(now) is Circuit.OPEN:
            return self
        trials = self.trials + 1
        return Breaker() if trials >= TRIALS_TO_CLOSE else replace(self, trials=trials)


CLOSED = Breaker()
