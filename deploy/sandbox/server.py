"""Serving the stand-in: on a port of its own, stopping at once when told to."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from deploy.sandbox.door import listening
from deploy.sandbox.wire import Severable

HOST = "127.0.0.1"
KEEP_ALIVE_SECONDS = 60


@asynccontextmanager
async def serving(app: Severable, sock: socket.socket | None = None) -> AsyncIterator[str]:
    """Serve inside this process, by default on a free port; yields the address.

    Only uvicorn's protocol is used: its server would wait for open connections at the end, and
    take the signals of whoever runs us.
    """
    sock = sock or listening(HOST, 0)
    config = uvicorn.Config(
        app,
        access_log=False,  # a request line would hold the key
        log_level="warning",
        http="h11",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    config.load()
    loop, state = asyncio.get_running_loop(), app.door.state

    async def listen(sock: socket.socket) -> asyncio.Server:
        return await loop.create_server(lambda: H11Protocol(config, state, app_state={}), sock=sock)

    host, port = sock.getsockname()[:2]
    await app.door.open(sock, listen)
    try:
        yield f"http://{host}:{port}"
    finally:
        await app.door.close()


async def serve(app: Severable, sock: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, then stop at once."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with serving(app, sock):
        await told.wait()
