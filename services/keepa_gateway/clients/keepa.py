"""Keepa over HTTP: one client, one host, every limit stated, and the key nowhere but on the wire.

Source: documents of the httpx project; a server that sent one byte every 0.4 s ran past any of its
own timeouts, 291 KB of gzip became 300 MB, and truncated gzip was accepted without an error.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import httpx

from services.keepa_gateway.domain.calls import Call, Deadlines
from services.keepa_gateway.domain.outcome import Outcome, unknown, unsent
from services.keepa_gateway.ports import Reply

CONNECT_SECONDS = 10.0
# A connection that was idle for longer is not used again. Whoever closes an idle connection at the
# very moment at which a request goes out on it leaves an outcome that nobody knows. Front ends
# keep idle connections for 5 s at least (Apache, Node) and mostly for 60 s and more.
KEPT_IDLE_SECONDS = 4.0
MOST_BYTES = 96 << 20
_CHUNK = 256 << 10
_GZIP = 16 + zlib.MAX_WBITS

# Only these prove that no byte of the request left.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class BadAnswerError(Exception):
    """The bytes of an answer are not whole, too many, or encoded in a way nobody asked for."""


def create_client(base_url: str) -> httpx.AsyncClient:
    """Build the one client: no redirects, no proxies from the environment, gzip, keep-alive."""
    return httpx.AsyncClient(
        base_url=base_url,
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=64, keepalive_expiry=KEPT_IDLE_SECONDS),
        headers={"Accept-Encoding": "gzip", "User-Agent": "arbitragevault"},
    )


class _Progress:
    """How far a request got, as httpcore tells it; what it does not tell counts as sent.

    Its names are those of httpcore's `trace` extension: `connection.connect_tcp.started` and the
    like until there is a connection, others from the first byte of the request on.
    """

    def __init__(self) -> None:
        self._connecting = False
        self._left = False

    async def note(self, event: str, _: object) -> None:
        """Hear of one step."""
        if event.startswith("connection."):
            self._connecting = True
        else:
            self._left = True

    @property
    def unsent(self) -> bool:
        """Whether certainly no byte of the request left."""
        return self._connecting and not self._left


class HttpKeepa:
    """Implements ``ports.Keepa`` over one ``httpx.AsyncClient``."""

    def __init__(self, client: httpx.AsyncClient, key: str, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._client = client
        self._key = key

    async def send(self, call: Call, *, within: timedelta | None = None) -> Reply | Outcome:
        """Send once; errors are named by their kind, because their texts hold the URL."""
        allowed = self._deadlines.of(call.pace) if within is None else within
        seconds = allowed.total_seconds()
        progress = _Progress()
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(call, progress)
        except _UNSENT as error:
            return unsent(f"Keepa could not be reached ({type(error).__name__}).")
        except TimeoutError:
            if progress.unsent:
                return unsent(f"Keepa could not be reached within {seconds:.0f} s.")
            return unknown(f"Keepa did not answer within {seconds:.0f} s.")
        except (httpx.HTTPError, httpx.StreamError, BadAnswerError) as error:
            return unknown(f"Keepa's answer was lost ({type(error).__name__}).")

    async def _exchange(self, call: Call, progress: _Progress) -> Reply:
        request = self._client.build_request(
            "POST" if call.body is not None else "GET",
            call.endpoint.value,
            params=[*call.parameters, ("key", self._key)],
            content=call.body,
            headers={"Content-Type": "application/json"} if call.body is not None else None,
            extensions={"trace": progress.note},
        )
        response = await self._client.send(request, stream=True)
        try:
            body = b"".join([chunk async for chunk in _plain(response)])
        finally:
            await response.aclose()
        return Reply(response.status_code, body)


async def _plain(response: httpx.Response) -> AsyncIterator[bytes]:
    """Decode what arrives, in bounded pieces, and insist on its end."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("gzip", "identity", ""):
        raise BadAnswerError
    inflater = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    total = 0
    async for received in response.aiter_raw(_CHUNK):
        for piece in _inflated(inflater, received) if inflater else (received,):
            total += len(piece)
            if total > MOST_BYTES:
                raise BadAnswerError
            yield piece
            await asyncio.sleep(0)
    if inflater is not None and not inflater.eof:
        raise BadAnswerError


def _inflated(inflater: "zlib._Decompress", received: bytes) -> Iterator[bytes]:
    """Inflate one received chunk piece by piece, so that a bomb is met before it goes off."""
    pending = received
    try:
        while pending and not inflater.eof:
            yield inflater.decompress(pending, 4 * _CHUNK)
            pending = inflater.unconsumed_tail
    except zlib.error:
        raise BadAnswerError from None
    if inflater.eof and inflater.unused_data:
        raise BadAnswerError
