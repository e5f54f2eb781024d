"""Serving the stand-in: on a port of its own, stopping at once when told to."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
BACKLOG = 1_024


class Server(uvicorn.Server):
    """A uvicorn that leaves signals to its owner and waits for nobody."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    def stop(self) -> None:
        """Stop now, cutting open connections."""
        self.should_exit = True
        self.force_exit = True


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


def _server(app: ASGIApp) -> Server:
    config = uvicorn.Config(
        app,
        access_log=False,  # a request line would hold the key
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=60,
        server_header=False,
    )
    return Server(config)


async def serve(app: ASGIApp, sock: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, then stop at once."""
    server = _server(app)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.serve(sockets=[sock])


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Serve inside this process on a free port, as tests do; yields the address."""
    sock = listen(0)
    server = _server(app)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield f"http://{HOST}:{sock.getsockname()[1]}"
    finally:
        server.stop()
        with suppress(asyncio.CancelledError):
            await task
        sock.close()
