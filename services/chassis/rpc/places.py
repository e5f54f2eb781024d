"""How many calls may be answered at once, and which of them have no end of their own."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from services.chassis.errors import Kind, Refusal


class Places:
    """How many calls are being answered; unary calls and streams are counted apart."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = {True: 0, False: 0}

    @contextmanager
    def one(self, *, streaming: bool) -> Iterator[None]:
        """Hold one place inside a block.

        Raises:
            Refusal: OVERLOADED, when none is left.
        """
        if self._taken[streaming] >= self._limit:
            raise Refusal(
                Kind.RESOURCE_EXHAUSTED,
                "OVERLOADED",
                f"This server already answers {self._limit} calls; try again in a moment.",
                facts={"limit": self._limit},
                retry_after=timedelta(seconds=1),
            )
        self._taken[streaming] += 1
        try:
            yield
        finally:
            self._taken[streaming] -= 1


class Watches:
    """The streams that have no end of their own, so that a stop need not wait for them."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._ended = False

    def end(self) -> None:
        """End all of them; their clients are told to watch again, elsewhere."""
        self._ended = True
        for task in self._running:
            task.cancel()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Let the running task be ended by `end`.

        Raises:
            Refusal: SERVER_STOPPING, when it was.
        """
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if not self._ended:
                raise
            task.uncancel()
            raise Refusal(
                Kind.UNAVAILABLE,
                "SERVER_STOPPING",
                "This server stops; watch again, and another one answers.",
                retry_after=timedelta(seconds=1),
            ) from None
        finally:
            self._running.discard(task)
