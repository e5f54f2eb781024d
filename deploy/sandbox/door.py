"""The listening port, which can be shut for a while so that connections are refused."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from uvicorn.server import ServerState

Listen = Callable[[socket.socket], Awaitable[asyncio.Server]]
BACKLOG = 1_024


class Door:
    """Opens on one address, and can be shut and opened again there."""

    def __init__(self) -> None:
        self.state = ServerState()
        self._listen: Listen | None = None
        self._server: asyncio.Server | None = None
        self._address: tuple[str, int] = ("", 0)
        self._reopening: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None

    async def open(self, sock: socket.socket, listen: Listen) -> None:
        """Take connections from a listening socket."""
        self._listen = listen
        self._address = sock.getsockname()[:2]
        self._server = await listen(sock)

    async def shut(self, seconds: float) -> None:
        """Refuse every connection and cut those there are; open again by itself."""
        self._close()
        loop = asyncio.get_running_loop()
        self._reopening = loop.call_later(seconds, self._open_again)

    async def close(self) -> None:
        """Shut for good."""
        self._close()
        await asyncio.sleep(0)  # the connections learn that they are gone
        tasks = list(self.state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _close(self) -> None:
        for pending in (self._reopening, self._opening):
            if pending:
                pending.cancel()
        if self._server:
            self._server.close()
        for connection in list(self.state.connections):
            connection.transport.abort()

    def _open_again(self) -> None:
        assert self._listen
        self._opening = asyncio.ensure_future(self.open(listening(*self._address), self._listen))


def listening(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes any free one.

    Raises:
        OSError: The port is taken.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Its connections inherit it; without it the body of an answer waits 40 ms for the
        # acknowledgement of the head.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
