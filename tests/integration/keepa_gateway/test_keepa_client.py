"""Claims about the HTTP client, against a server that says exactly what it is told to say."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from services.keepa_gateway.clients.keepa import HttpKeepa, create_client
from services.keepa_gateway.domain.calls import TOKEN_CALL, Deadlines
from services.keepa_gateway.domain.list_requests import FinderRequest
from services.keepa_gateway.domain.outcome import Outcome, Verdict
from services.keepa_gateway.ports import Reply

pytestmark = pytest.mark.anyio

CANARY = "canary0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklm"
BODY = b'{"tokensLeft":3}'
DEADLINES = Deadlines(status=30, plain=30, offers=30, list=30)
BRIEF = Deadlines(status=0.6, plain=0.6, offers=0.6, list=0.6)


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def told(
    said: bytes, *, then: str = "close", pace: float = 0.0
) -> AsyncIterator[list[bytes]]:
    """Serve ``said`` to whoever asks; yields what was asked, and sets the client up."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(65536))
        with suppress(ConnectionError):
            for start in range(0, len(said), 1 if pace else max(len(said), 1)):
                writer.write(said[start : start + 1] if pace else said)
                await writer.drain()
                await asyncio.sleep(pace)
        if then == "hang":
            await asyncio.sleep(5)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    asked.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}".encode())
    try:
        yield asked
    finally:
        server.close()


async def sent(said: bytes, **how: object) -> Reply | Outcome:
    """Ask who says this; the deadline is for who is in no hurry to say it, or silent."""
    deadlines = BRIEF if how else DEADLINES
    async with told(said, **how) as asked, create_client(asked[0].decode()) as client:
        return await HttpKeepa(client, CANARY, deadlines).send(TOKEN_CALL)


def lost(outcome: Reply | Outcome) -> bool:
    return isinstance(outcome, Outcome) and outcome.verdict is Verdict.UNKNOWN


async def test_a_whole_answer_is_given_with_its_status() -> None:
    assert await sent(answer(BODY)) == Reply(200, BODY)
    assert await sent(answer(BODY, "429 Too Many Requests")) == Reply(429, BODY)


async def test_gzip_is_asked_for_and_undone() -> None:
    packed = answer(gzip.compress(BODY), Content_Encoding="gzip")
    async with told(packed) as asked, create_client(asked[0].decode()) as client:
        reply = await HttpKeepa(client, CANARY, DEADLINES).send(TOKEN_CALL)

    assert reply == Reply(200, BODY)
    assert b"accept-encoding: gzip" in asked[1].lower()


async def test_the_selection_is_the_body_and_the_key_is_in_the_url() -> None:
    call = FinderRequest(domain=1, selection={"title": "x"}, per_page=50).call()
    async with told(answer(BODY)) as asked, create_client(asked[0].decode()) as client:
        await HttpKeepa(client, CANARY, DEADLINES).send(call)

    assert asked[1].startswith(f"POST /query?domain=1&key={CANARY} ".encode())


@pytest.mark.parametrize("kept", [0, 10, 20, -1])
async def test_truncated_gzip_is_lost(kept: int) -> None:
    """Fault 17: libraries accept it without an error, and half an answer passes for a whole."""
    packed = gzip.compress(BODY)[:kept]

    assert lost(await sent(answer(packed, Content_Encoding="gzip")))


@pytest.mark.parametrize(
    "said",
    [
        answer(BODY)[:-3],
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"nonsense\r\n\r\n",
        answer(BODY, Content_Encoding="br"),
        answer(b"not gzip", Content_Encoding="gzip"),
        answer(gzip.compress(BODY) + b"more", Content_Encoding="gzip"),
    ],
)
async def test_an_answer_that_broke_off_may_have_been_paid(said: bytes) -> None:
    """Faults 15 and 17."""
    assert lost(await sent(said))


async def test_a_drip_of_bytes_ends_at_the_deadline() -> None:
    """Fault 16: it runs past every timeout that the library has, and would be whole in the end."""
    assert lost(await sent(answer(BODY), pace=0.05))


async def test_silence_ends_at_the_deadline() -> None:
    assert lost(await sent(b"", then="hang"))


async def test_a_gzip_bomb_is_refused_in_bounded_memory() -> None:
    """Fault 17: 300 KB of it became 300 MB."""
    bomb = gzip.compress(bytes(300 << 20), 9)

    assert lost(await sent(answer(bomb, Content_Encoding="gzip")))


async def test_a_closed_port_certainly_sent_nothing() -> None:
    """Fault 14: only this may be tried again."""
    async with create_client("http://127.0.0.1:9") as client:
        outcome = await HttpKeepa(client, CANARY, DEADLINES).send(TOKEN_CALL)

    assert isinstance(outcome, Outcome)
    assert outcome.verdict is Verdict.UNSENT


async def test_a_bad_certificate_certainly_sent_nothing() -> None:
    async with told(b"no tls here") as asked:
        secure = asked[0].decode().replace("http:", "https:")
        client = create_client(secure)
        outcome = await HttpKeepa(client, CANARY, DEADLINES).send(TOKEN_CALL)
        await client.aclose()

    assert isinstance(outcome, Outcome)
    assert outcome.verdict is Verdict.UNSENT


async def test_a_redirect_is_not_followed() -> None:
    """Fault 22: the key would go to another host."""
    async with told(answer(BODY)) as elsewhere:
        said = answer(b"{}", "302 Found", Location=f"{elsewhere[0].decode()}/token")
        reply = await sent(said)

    assert reply == Reply(302, b"{}")
    assert len(elsewhere) == 1


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert await sent(answer(BODY)) == Reply(200, BODY)


FAULTS: list[Callable[[], tuple[bytes, dict[str, object]]]] = [
    lambda: (b"", {}),
    lambda: (answer(BODY)[:-3], {}),
    lambda: (answer(BODY), {"pace": 0.05}),
    lambda: (answer(b"x", Content_Encoding="gzip"), {}),
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_ever_tells_the_key(
    fault: Callable[[], tuple[bytes, dict[str, object]]], caplog: pytest.LogCaptureFixture
) -> None:
    """G7: exceptions of HTTP libraries hold the URL, and their logs do."""
    caplog.set_level(logging.WARNING)
    said, how = fault()

    outcome = await sent(said, **how)

    assert isinstance(outcome, Outcome)
    assert CANARY[-6:] not in repr(outcome) + caplog.text
    assert outcome.reason


async def test_a_library_that_raises_something_new_is_no_leak() -> None:
    """Whatever httpx calls its failures, they end as an outcome and not as a traceback."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError(f"while asking {request.url}")

    client = httpx.AsyncClient(transport=httpx.MockTransport(fail), base_url="http://127.0.0.1")
    async with client:
        outcome = await HttpKeepa(client, CANARY, DEADLINES).send(TOKEN_CALL)

    assert lost(outcome)
    assert CANARY not in repr(outcome)
