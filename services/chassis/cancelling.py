"""Ends tasks for certain: a cancellation is a word that a library can fail to pass on.

And takes note of the ends that nobody waits for.
"""

import asyncio
from typing import Any

_AGAIN_SECONDS = 5.0
"""How long a task may tidy up after its cancellation before it is said again."""


def look_at(done: "asyncio.Future[Any]") -> None:
    """Mark a failure as seen, as the last word on what perhaps nobody awaits any more."""
    if not done.cancelled():
        done.exception()


async def end(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait until all have ended, whatever they end with.

    It is said again to who goes on: up to Python 3.11 ``asyncio.wait_for`` loses a cancellation
    that comes in the same turn as its result, and libraries wait with it.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)  # Their errors are nobody's surprise.


def heed_cancellation() -> None:
    """End the running task where a library has swallowed its cancellation.

    Raises:
        asyncio.CancelledError: Somebody has cancelled it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
