"""A stream whose messages go out whole, although the stream itself may be ended at any moment."""

import asyncio
from typing import Any, cast

from services.chassis.cancelling import look_at
from services.chassis.rpc.call import Context


class Whole:
    """The context of a stream, which finishes the message that it has begun.

    grpc does not know any more how far a stream has come whose message was interrupted: it tries
    to begin it anew, and its client is never told how it ended.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._writing: asyncio.Task[None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def write(self, message: Any) -> None:
        """Send a message; who is interrupted here leaves it on its way."""
        writing = cast("Any", self._context).write(message)
        self._writing = asyncio.create_task(writing, name="write a message")
        self._writing.add_done_callback(look_at)
        await asyncio.shield(self._writing)

    async def written(self) -> None:
        """Wait until the message that was begun last is out, or cannot get out any more."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))
