"""How each fault breaks an answer that is ready to leave."""

import gzip
import zlib
from collections.abc import Callable
from functools import lru_cache
from itertools import repeat

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from deploy.sandbox.faults import FaultOrder
from deploy.sandbox.wire import JSON, Raw, head

NESTED = 1_000_000
MEGABYTE = bytes(1 << 20)
LONGEST_DRIP = 100_000
Spoil = Callable[[FaultOrder, bytes, Request], Response]


def spoiled(order: FaultOrder, body: bytes, request: Request) -> Response | None:
    """Return the broken answer, or None for a fault whose answer is whole."""
    spoil = _SPOILS.get(order.fault)
    return spoil(order, body, request) if spoil else None


def _proxy_page(order: FaultOrder, _: bytes, __: Request) -> Response:
    """Return the page of a proxy in front of Keepa: no JSON, so no token fields."""
    page = f"<html><body><h1>{order.answers}</h1></body></html>"
    return Response(page, status_code=order.answers, headers={"content-type": "text/html"})


def _redirect(order: FaultOrder, _: bytes, request: Request) -> Response:
    """Send the client elsewhere with all it said, its key included, as a careless proxy does."""
    target = f"{order.location}{request.url.path}?{request.url.query}"
    return Response(status_code=order.answers, headers={"location": target})


def _severed(order: FaultOrder, body: bytes, _: Request) -> Response:
    """Cut the connection before the first byte, after the head, or in the middle of the body."""
    told = head(content_type=JSON, content_length=len(body))
    pieces = {"before": (), "headers": (told,), "middle": (told + body[: len(body) // 2],)}
    return Raw(*pieces[order.at])


def _dripping(order: FaultOrder, body: bytes, _: Request) -> Response:
    """Send a byte at a time, or with ``at: headers`` a header at a time and no end of them."""
    seconds = order.milliseconds / 1_000
    if order.at == "headers":
        start = b"HTTP/1.1 200 Sandbox\r\n"
        more = repeat(b"x-more: to come\r\n", LONGEST_DRIP)
        return Raw(start, *more, pause_seconds=seconds)
    told = head(content_type=JSON, content_length=len(body))
    return Raw(told, *(bytes([byte]) for byte in body), pause_seconds=seconds)


def _empty(_: FaultOrder, __: bytes, ___: Request) -> Response:
    return Response(b"", headers={"content-type": JSON})


def _packed(body: bytes) -> Response:
    return Response(body, headers={"content-type": JSON, "content-encoding": "gzip"})


def _truncated(order: FaultOrder, body: bytes, _: Request) -> Response:
    """Return what is whole for HTTP; its gzip stream lacks its end, or with ``trailer`` its middle."""
    packed = gzip.compress(body)
    half = packed[: max(12, len(packed) // 2)]
    return _packed(half + packed[-8:] if order.trailer else half)


def _bomb(order: FaultOrder, _: bytes, __: Request) -> Response:
    return _packed(_zeros(order.megabytes))


@lru_cache(maxsize=2)
def _zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join(packer.compress(MEGABYTE) for _ in range(megabytes)) + packer.flush()


def _wrong_encoding(_: FaultOrder, body: bytes, __: Request) -> Response:
    return _packed(body)


def _wrong_length(_: FaultOrder, body: bytes, __: Request) -> Response:
    """Claim fewer bytes than are sent."""
    return Raw(head(content_type=JSON, content_length=max(1, len(body) - 10)) + body)


def _garbage(order: FaultOrder, body: bytes, _: Request) -> Response:
    """Say JSON with status 200, and send none, or some that no two readers understand alike."""
    return Response(_GARBAGE[order.form](body), headers={"content-type": JSON})


def _with_nan(body: bytes) -> bytes:
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({**fields, "tokensLeft": msgspec.Raw(b"NaN")})


def _twice(body: bytes) -> bytes:
    """Repeat the token fields with other values at the end."""
    return body[:-1] + b',"tokensConsumed":0,"tokensLeft":1000000}'


_GARBAGE: dict[str, Callable[[bytes], bytes]] = {
    "page": lambda _: b"<html>\x00upstream\xff",
    "nan": _with_nan,
    "duplicate_keys": _twice,
    "deep": lambda _: b'{"products":' + b"[" * NESTED,
    "charset": lambda body: body.decode().encode("utf-16"),
    "half": lambda body: body[: len(body) // 2],
}
_SPOILS: dict[str, Spoil] = {
    "status": _proxy_page,
    "redirect": _redirect,
    "close": _severed,
    "drip": _dripping,
    "empty": _empty,
    "truncated_gzip": _truncated,
    "gzip_bomb": _bomb,
    "wrong_encoding": _wrong_encoding,
    "wrong_length": _wrong_length,
    "garbage": _garbage,
}
