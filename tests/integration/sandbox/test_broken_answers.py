"""Every way in which an answer can be broken, seen from the other end of the wire."""

import asyncio
import gzip
import json
import zlib
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

UNKNOWN = "B000000000"


async def ask(caller: Any, **params: Any) -> httpx.Response:
    answer: httpx.Response = await caller.get("/product", asin=UNKNOWN, **params)
    return answer


async def raw(caller: Any) -> bytes:
    """Ask without a library that would put things right, and return all that arrives."""
    url = httpx.URL(str(caller.http.base_url))
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"GET /product?domain=1&key=k&asin={UNKNOWN} HTTP/1.1\r\n".encode())
    writer.write(b"Host: keepa\r\nConnection: close\r\n\r\n")
    parts = []
    try:
        async with asyncio.timeout(30):
            while part := await reader.read(65_536):
                parts.append(part)
    except ConnectionResetError:
        pass
    finally:
        writer.close()
    return b"".join(parts)


async def last(caller: Any) -> dict[str, Any]:
    line: dict[str, Any] = (await caller.truth())[-1]
    return line


@pytest.mark.parametrize(("charged", "cost"), [(False, 0), (True, 1)])
async def test_a_failure_that_states_its_cost(caller: Any, charged: bool, cost: int) -> None:  # noqa: FBT001
    """Fault 13: the 500 carries an envelope, and what that says was consumed is true."""
    await caller.order(fault="error", status=500, charged=charged)

    answer = await ask(caller)

    assert answer.status_code == (await last(caller))["status"] == 500
    body = answer.json()
    assert body["tokensConsumed"] == (await last(caller))["tokensConsumed"] == cost
    assert body["tokensLeft"] == (await caller.balance())["tokensLeft"]
    assert body["error"]["type"] == "internalError"
    assert "products" not in body


@pytest.mark.parametrize("status", [400, 401, 402, 403])
async def test_a_key_that_is_rejected_for_a_while(caller: Any, status: int) -> None:
    """Fault 20: all zeros, which are no empty bucket."""
    await caller.order(fault="rejected_key", status=status)

    answer = await ask(caller)

    assert answer.status_code == status
    assert answer.json()["refillRate"] == answer.json()["tokensLeft"] == 0
    assert (await caller.balance())["tokensLeft"] == 1_200


async def test_a_redirect_takes_the_key_along(caller: Any) -> None:
    """Fault 22: whoever follows it gives the key away."""
    await caller.order(fault="redirect", location="http://127.0.0.1:9")

    answer = await ask(caller)

    assert answer.status_code == 302
    assert answer.headers["location"].startswith("http://127.0.0.1:9/product?")
    assert "key=" in answer.headers["location"]
    assert (await last(caller))["tokensConsumed"] == 0


async def test_a_429_may_say_any_wait(caller: Any) -> None:
    """Fault 12: refillIn 0 would make a loop of a client, 10^9 a sleeper."""
    await caller.order(fault="rate_limited", fields={"refillIn": 10**9}, tokensLeft=-40)

    body = (await ask(caller)).json()

    assert (body["refillIn"], body["tokensLeft"]) == (10**9, -40)


async def test_an_envelope_can_claim_anything(caller: Any) -> None:
    """Fault 19: a string, a float, nothing at all."""
    await caller.order(fault="lying_balance", fields={"tokensLeft": "12", "refillRate": 1.5})
    await caller.order(fault="lying_balance", without=["tokensLeft", "tokensConsumed"])

    first, second = [(await ask(caller)).json() for _ in range(2)]

    assert (first["tokensLeft"], first["refillRate"]) == ("12", 1.5)
    assert first["tokensConsumed"] == 1
    assert not {"tokensLeft", "tokensConsumed"} & second.keys()


async def test_a_late_answer_is_overtaken(caller: Any) -> None:
    """Fault 19: its balance is older than that of the answer that came before it."""
    await caller.order(fault="late", milliseconds=400, path="/product")
    late = asyncio.create_task(ask(caller))
    while not await caller.truth():  # noqa: ASYNC110 - it is the server's state
        await asyncio.sleep(0.01)

    prompt = (await ask(caller)).json()
    overtaken = (await late).json()

    assert (overtaken["tokensLeft"], prompt["tokensLeft"]) == (1_199, 1_198)
    assert overtaken["timestamp"] <= prompt["timestamp"]


async def test_an_empty_body_is_whole_for_http(caller: Any) -> None:
    """Fault 15."""
    await caller.order(fault="empty")

    answer = await ask(caller)

    assert (answer.status_code, answer.content) == (200, b"")
    assert (await last(caller))["tokensConsumed"] == 1


async def test_a_gzip_stream_can_lack_its_middle(caller: Any) -> None:
    """Fault 17: the trailer is there, what it speaks of is not."""
    await caller.order(fault="truncated_gzip", trailer=True)

    body = (await raw(caller)).split(b"\r\n\r\n", 1)[1]

    with pytest.raises((zlib.error, EOFError, OSError)):
        gzip.decompress(body)


async def test_a_bomb_is_small_on_the_wire(caller: Any) -> None:
    """Fault 17: five megabytes in a few kilobytes."""
    await caller.order(fault="gzip_bomb", megabytes=5)

    body = (await raw(caller)).split(b"\r\n\r\n", 1)[1]

    assert len(body) < 100_000
    assert len(gzip.decompress(body)) == 5 << 20


async def test_headers_that_lie_about_the_body(caller: Any) -> None:
    """Fault 17: said to be gzip and plain; said to be shorter than it is."""
    await caller.order(fault="wrong_encoding")
    with pytest.raises(httpx.DecodingError):
        await ask(caller)

    await caller.order(fault="wrong_length")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads((await ask(caller)).content)


@pytest.mark.parametrize("at", ["middle", "headers"])
async def test_a_drip_goes_on_until_the_client_leaves(caller: Any, at: str) -> None:
    """Fault 16: no pause is long enough for a library's time-out, and no end comes."""
    await caller.order(fault="drip", milliseconds=20, at=at)
    reading = asyncio.create_task(raw(caller))
    while not await caller.truth():  # noqa: ASYNC110 - it is the server's state
        await asyncio.sleep(0.01)

    await asyncio.wait([reading], timeout=0.5)

    assert not reading.done()
    reading.cancel()
    await asyncio.wait([reading])
    assert (await last(caller))["tokensConsumed"] == 1
    assert (await ask(caller)).status_code == 200


@pytest.mark.parametrize(
    ("form", "readable"),
    [("nan", True), ("duplicate_keys", True), ("half", False), ("charset", False), ("page", False)],
)
async def test_garbage_in_its_forms(caller: Any, form: str, readable: bool) -> None:  # noqa: FBT001
    """Fault 18: some of it passes for JSON with a lenient reader, which is the danger."""
    await caller.order(fault="garbage", form=form)

    content = (await ask(caller, stats=90)).content

    if readable:
        assert json.loads(content)["tokensLeft"] != 1_199
        return
    with pytest.raises(ValueError, match=r"Expecting|decode|Unterminated"):
        json.loads(content.decode())


async def test_garbage_nested_a_million_deep(caller: Any) -> None:
    """Fault 18: a reader that recurses dies of it."""
    await caller.order(fault="garbage", form="deep")

    assert (await ask(caller)).content.count(b"[") == 1_000_000


async def test_an_unreachable_port_refuses_and_opens_again(caller: Any) -> None:
    """Fault 14: nothing was sent, which is the one failure that may be tried again."""
    await ask(caller)
    await caller.order(fault="unreachable", seconds=2)

    refused = await until(caller, httpx.ConnectError)
    answered = await until(caller, type(None))

    assert (refused, answered) == (httpx.ConnectError, type(None))
    assert (await caller.truth())[0]["path"] == "/product"


async def until(caller: Any, outcome: type) -> type:
    """Ask for the balance again and again until it ends in one way."""
    async with asyncio.timeout(10):
        while True:
            try:
                await caller.get("/token")
                ended: type = type(None)
            except httpx.TransportError as error:
                ended = type(error)
            if ended is outcome:
                return ended
            await asyncio.sleep(0.02)


async def test_the_clock_is_moved_over_http(caller: Any) -> None:
    """Ten ticks at once: the bucket refills as if ten minutes had passed."""
    await caller.order(fault="foreign_spend", tokens=500)
    told = (await caller.http.get("/_sandbox/clock")).json()

    moved = await caller.http.post("/_sandbox/clock", json={"advance": 602_000, "scale": 0})
    again = (await caller.http.get("/_sandbox/clock")).json()

    assert moved.json() == again
    assert again["now"] >= told["now"] + 602_000
    assert again["scale"] == 0
    assert (await caller.balance())["tokensLeft"] == 700 + 200
    assert (await caller.body("/token"))["timestamp"] == again["now"]


@pytest.mark.parametrize("order", [{"advance": -1}, {"now": 1}, {"scale": -1}, {"back": 1}, 3])
async def test_a_clock_that_makes_no_sense_is_refused(caller: Any, order: Any) -> None:
    refused = await caller.http.post("/_sandbox/clock", json=order)

    assert refused.status_code == 400
    assert refused.json()["error"]
