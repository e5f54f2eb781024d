"""Where I/O code learns the time; pure code receives it as an argument."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The present, told in two ways."""

    def now(self) -> datetime:
        """The current instant, aware and in UTC; it may jump when the machine is set right."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back, so waits are measured with it."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Read the wall clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Read the steady clock."""
        return time.monotonic()
