"""How a whole answer leaves the socket, and the way to reach under HTTP to break one."""

import asyncio
import gzip
from contextlib import suppress
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.sandbox.door import Door

LINE = "sandbox.line"
GZIP_FROM_BYTES = 100
JSON = "application/json;charset=UTF-8"


class Line:
    """The TCP connection of one request, which ASGI has no word for."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Send bytes that HTTP knows nothing of."""
        if self._transport:
            self._transport.write(data)

    def sever(self) -> None:
        """Cut the connection at once, whatever was not sent yet."""
        if self._transport:
            self._transport.abort()


class Severable:
    """Gives the application the connection of each request.

    Attributes:
        door: The port that the connections come in by.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its connection in the scope."""
        scope[LINE] = Line(getattr(getattr(send, "__self__", None), "transport", None))
        # At the end of the process every request is cancelled after its connection was cut.
        # uvicorn would print each as an error of the application.
        with suppress(asyncio.CancelledError):
            await self._app(scope, receive, send)


def respond(body: bytes, *, status: int, accept_encoding: str, media: str = JSON) -> Response:
    """Return the answer, gzipped when it is text and the client takes that."""
    headers = {"content-type": media}
    if media == JSON and "gzip" in accept_encoding and len(body) >= GZIP_FROM_BYTES:
        headers["content-encoding"] = "gzip"
        body = gzip.compress(body, compresslevel=1)
    return Response(body, status_code=status, headers=headers)


class Raw(Response):
    """An answer written past HTTP, piece by piece, after which the connection is cut.

    Args:
        pieces: What is written; after each there is a pause.
    """

    def __init__(self, *pieces: bytes, pause_seconds: float = 0.02) -> None:
        super().__init__()
        self._pieces = pieces
        self._pause = pause_seconds

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """Write, cut, and wait until the server has noticed."""
        line: Line = scope[LINE]
        left = asyncio.create_task(gone(receive))
        try:
            for piece in self._pieces:
                if left.done():
                    break
                line.write(piece)
                await asyncio.wait({left}, timeout=self._pause)
            line.sever()
            await left
        finally:
            left.cancel()


async def gone(receive: Receive) -> None:
    """Return when the connection has ended."""
    while (await receive())["type"] != "http.disconnect":
        pass


def head(status: int = 200, **headers: str | int) -> bytes:
    """Return the head of an answer, with any headers, true or not."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Sandbox", *lines, "", ""]).encode()
