"""An event loop whose time is a number: waiting costs nothing, and every run is the same run."""

import asyncio
from collections.abc import Sequence
from typing import Any


class Deadlock(Exception):  # noqa: N818 - what happened, not an error of the loop
    """Everybody waits for somebody, and nothing is scheduled."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order asyncio promises; when all is idle, time jumps ahead.

    The schedules that a seed explores come from the delays that the world draws, not from
    breaking the order that asyncio guarantees.
    """

    def __init__(self) -> None:
        super().__init__()
        self._instant = 0.0
        self._selector = self
        self.faults: list[str] = []
        self.set_exception_handler(self._on_fault)

    def time(self) -> float:
        """Seconds since the world began."""
        return self._instant

    def select(self, timeout: float | None) -> Sequence[Any]:
        """Stand in for a selector: nothing ever happens outside, so let the time pass."""
        if timeout is None:
            raise Deadlock
        self._instant += timeout
        return ()

    def _process_events(self, event_list: Sequence[Any]) -> None:
        """Know of no events from outside."""

    def _write_to_self(self) -> None:
        """Need no waking up: there is one thread."""

    def _on_fault(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep what asyncio would have logged: an exception that nobody looked at."""
        self.faults.append(f"{context.get('message')}: {context.get('exception')!r}")
