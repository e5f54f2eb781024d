"""Claims about connections: which one carries a request, and what its end proves about it.

Fault 15 at its most ordinary: Keepa, or a proxy before it, closes an idle connection.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta

import pytest

from services.keepa_gateway.clients import keepa
from services.keepa_gateway.clients.keepa import HttpKeepa, create_client
from services.keepa_gateway.domain.calls import TOKEN_CALL, Deadlines
from services.keepa_gateway.domain.outcome import Outcome, Verdict
from services.keepa_gateway.ports import Reply
from tests.support import until

pytestmark = pytest.mark.anyio

BODY = b'{"tokensLeft":3}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
NO_LINGER = struct.pack("ii", 1, 0)
End = Callable[[asyncio.StreamWriter], None]


def closed(writer: asyncio.StreamWriter) -> None:
    """End a connection as a front end does whose patience is over."""
    writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """End it as one does that forgot it."""
    plug = writer.get_extra_info("socket")
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()


class Front:
    """Answers on each connection so many requests, and ends it at the next, or at once.

    Attributes:
        requests: How many came, by the connection they came on.
        ended: How many connections it has ended.
    """

    def __init__(self, answers: int, *, idle: bool, end: End) -> None:
        self._answers = answers
        self._idle = idle
        self._end = end
        self.requests: list[int] = []
        self.ended = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, until its client or this front ends it."""
        place = len(self.requests)
        self.requests.append(0)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._answer(place, reader, writer)
            self._end(writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        self.ended += 1

    async def over(self) -> bool:
        """Whether every connection has ended."""
        return self.ended == len(self.requests)

    async def _answer(
        self, place: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while not (self._idle and self.requests[place] == self._answers):
            await reader.readuntil(b"\r\n\r\n")
            self.requests[place] += 1
            if self.requests[place] > self._answers:
                return
            writer.write(ANSWER)
            await writer.drain()


@asynccontextmanager
async def met(front: Front) -> AsyncIterator[HttpKeepa]:
    """A client that reaches a front."""
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with create_client(f"http://127.0.0.1:{port}") as client:
            yield HttpKeepa(client, "k" * 64, Deadlines())
        await until(front.over)
    finally:
        server.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection grows too old for a request while a test stands still."""
    monkeypatch.setattr(keepa, "KEPT_IDLE_SECONDS", 3_600.0)


@pytest.mark.parametrize("end", [closed, reset])
async def test_a_connection_that_was_ended_while_idle_carries_no_request(end: End) -> None:
    """It would be lost on it, and its tokens held until a balance tells; a new one costs nothing."""
    front = Front(1, idle=True, end=end)
    async with met(front) as client:
        for _ in range(3):
            assert await client.send(TOKEN_CALL) == Reply(200, BODY)
            await until(front.over)

    assert front.requests == [1, 1, 1]


@pytest.mark.parametrize("end", [closed, reset])
async def test_a_request_that_met_the_end_of_its_connection_may_have_been_paid(end: End) -> None:
    """G5: an end that crossed it on the way looks like one that came after it was worked on."""
    front = Front(1, idle=False, end=end)
    async with met(front) as client:
        assert await client.send(TOKEN_CALL) == Reply(200, BODY)
        lost = await client.send(TOKEN_CALL)

    assert isinstance(lost, Outcome)
    assert lost.verdict is Verdict.UNKNOWN
    assert front.requests == [2], "the client itself must not repeat it"


async def test_a_connection_is_kept_for_the_next_request() -> None:
    front = Front(5, idle=False, end=closed)
    async with met(front) as client:
        for _ in range(5):
            assert await client.send(TOKEN_CALL) == Reply(200, BODY)

    assert front.requests == [5]


async def test_a_connection_is_not_kept_for_as_long_as_any_front_end_keeps_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever gives up first knows of it; the least that front ends wait by default is 5 s."""
    assert keepa_default() < 5
    monkeypatch.setattr(keepa, "KEPT_IDLE_SECONDS", 0.05)
    front = Front(5, idle=False, end=closed)
    async with met(front) as client:
        for _ in range(2):
            assert await client.send(TOKEN_CALL) == Reply(200, BODY)
            await asyncio.sleep(0.1)  # Time is what it is about: at least this long.

    assert front.requests == [1, 1]


def keepa_default(value: float = keepa.KEPT_IDLE_SECONDS) -> float:
    """What production uses, whatever a test has set."""
    return value


async def test_a_deadline_that_ends_while_still_connecting_proves_that_nothing_left() -> None:
    """Row 14: not one byte of the request was written, so nothing of it can be paid."""
    with full() as address:
        async with create_client(f"http://{address}") as client:
            sent = HttpKeepa(client, "k" * 64, Deadlines())
            outcome = await sent.send(TOKEN_CALL, within=timedelta(seconds=0.3))

    assert isinstance(outcome, Outcome)
    assert outcome.verdict is Verdict.UNSENT
    assert "within" in outcome.reason, "the deadline ended it, and not the connection"


@contextmanager
def full() -> Iterator[str]:
    """An address that answers nobody: those who wait to be let in are as many as there may be."""
    with ExitStack() as stack:
        door = stack.enter_context(socket.socket())
        door.bind(("127.0.0.1", 0))
        door.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(door.getsockname())
        host, number = door.getsockname()
        yield f"{host}:{number}"
