"""A clock that only moves when told to."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """Implements ``Clock``; both of its tellings advance together."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic = 1_000.0

    def now(self) -> datetime:
        """Tell the instant it stands at."""
        return self._now

    def monotonic(self) -> float:
        """Tell the same in seconds."""
        return self._monotonic

    def advance(self, step: timedelta | float) -> None:
        """Move on by ``step``, a number being seconds."""
        passed = step if isinstance(step, timedelta) else timedelta(seconds=step)
        self._now += passed
        self._monotonic += passed.total_seconds()

    def jump(self, step: timedelta) -> None:
        """Set the wall clock as an operator would; the steady one does not notice."""
        self._now += step
