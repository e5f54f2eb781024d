"""Serving the stand-in: on a port of its own, stopping at once when told to."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HOST = "127.0.0.1"
BACKLOG = 1_024
KEEP_ALIVE_SECONDS = 60


def listen(port: int, host: str = HOST) -> socket.socket:
    """Return a listening socket; port 0 takes any free one.

    Raises:
        OSError: The port is taken.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


@asynccontextmanager
async def serving(app: ASGIApp, sock: socket.socket | None = None) -> AsyncIterator[str]:
    """Serve inside this process, by default on a free port; yields the address.

    Only uvicorn's protocol is used: its server would wait for open connections at the end, and
    take the signals of whoever runs us.
    """
    sock = sock or listen(0)
    config = uvicorn.Config(
        app,
        access_log=False,  # a request line would hold the key
        log_level="warning",
        http="h11",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: H11Protocol(config, state, app_state={}), sock=sock
    )
    host, port = sock.getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()
        await _cut(state)


async def _cut(state: ServerState) -> None:
    """End every connection and every request, without waiting for either."""
    for connection in list(state.connections):
        connection.transport.abort()
    await asyncio.sleep(0)  # the connections learn that they are gone
    tasks = list(state.tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def serve(app: ASGIApp, sock: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, then stop at once."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with serving(app, sock):
        await told.wait()
