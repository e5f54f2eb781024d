"""How an answer leaves the socket: whole, or broken in the way that was asked for."""

import asyncio
import gzip
from collections.abc import Callable
from contextlib import suppress

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.sandbox.faults import Moment

SEVER = "sandbox.sever"
GZIP_FROM_BYTES = 100


class Severable:
    """Gives the application a way to cut the connection, which ASGI has no word for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its severing function in the scope."""
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        scope[SEVER] = transport.abort if transport else _no_connection
        # At the end of the process every request is cancelled after its connection was cut.
        # uvicorn would print each as an error of the application.
        with suppress(asyncio.CancelledError):
            await self._app(scope, receive, send)


def _no_connection() -> None:
    """Do nothing: an in-memory transport has no connection to cut."""


def respond(body: bytes, *, status: int, accept_encoding: str) -> Response:
    """Return the JSON answer, gzipped when the client takes that."""
    headers = {"content-type": "application/json;charset=UTF-8"}
    if "gzip" in accept_encoding and len(body) >= GZIP_FROM_BYTES:
        headers["content-encoding"] = "gzip"
        body = gzip.compress(body, compresslevel=1)
    return Response(body, status_code=status, headers=headers)


def truncate_gzip(body: bytes) -> Response:
    """Return an answer that is whole for HTTP but whose gzip stream ends too early."""
    packed = gzip.compress(body)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    return Response(packed[: max(12, len(packed) // 2)], headers=headers)


def garbage() -> Response:
    """Return a 200 that says JSON and holds none, as a broken proxy would."""
    return Response(b"<html>\x00upstream\xff", headers={"content-type": "application/json"})


def proxy_error(status: int) -> Response:
    """Return the page of a proxy in front of Keepa: no JSON, so no token fields."""
    page = f"<html><body><h1>{status}</h1></body></html>"
    return Response(page, status_code=status, headers={"content-type": "text/html"})


class Severed(Response):
    """An answer whose connection is cut: before its first byte, its body, or in the middle."""

    def __init__(self, body: bytes, at: Moment) -> None:
        super().__init__(body)
        self._at = at

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send as much as was asked for and cut the connection."""
        sever: Callable[[], None] = scope[SEVER]
        if self._at != "before":
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if self._at == "middle":
            half = bytes(self.body[: len(self.body) // 2])
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await asyncio.sleep(0.02)
        sever()
        while (await receive())["type"] != "http.disconnect":
            pass
