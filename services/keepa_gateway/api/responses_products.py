"""Answers with products as bytes: what is stored is sent as it is, never parsed and built again.

A message is the concatenation of its fields, in any order, and a field that holds a message, a
text or bytes is a tag, a length and the content. That rule of the wire format is all that is used
here; every field of another kind is serialised by protobuf itself.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.rpc import times
from services.keepa_gateway.domain.answers import ProductAnswer

MOST_RESULTS = 100
MOST_BYTES = 1 << 20
"""The contract's bounds of one message; a single larger product has one of its own."""

FRESH = timedelta(0)
_LENGTH_DELIMITED = 2
_GROUP, _MORE = 0x7F, 0x80


def _tag(number: int) -> bytes:
    return varint(number << 3 | _LENGTH_DELIMITED)


@lru_cache(maxsize=4096)
def varint(value: int) -> bytes:
    """Write a whole number of 0 or more: seven bits a byte, the lowest first."""
    written = bytearray()
    while value > _GROUP:
        written.append(value & _GROUP | _MORE)
        value >>= 7
    written.append(value)
    return bytes(written)


_RESULTS = _tag(pb.GetProductsResponse.RESULTS_FIELD_NUMBER)
_REQUESTED = _tag(pb.ProductResult.REQUESTED_FIELD_NUMBER)
_PRODUCT = _tag(pb.ProductResult.PRODUCT_FIELD_NUMBER)
_RAW_JSON = _tag(pb.ProductResult.RAW_JSON_FIELD_NUMBER)


def messages(answers: Sequence[ProductAnswer], now: datetime, *, with_raw: bool) -> Iterator[bytes]:
    """Give serialised `GetProductsResponse` messages, as few as their bounds allow."""
    heads: dict[object, bytes] = {}
    parts: list[bytes] = []
    count = size = 0
    for one in answers:
        in_common = _in_common(one)
        head = heads.get(in_common)
        if head is None:
            head = product_result(one, now).SerializeToString()
            heads[in_common] = head
        result = [head, *_own(one, with_raw=with_raw)]
        length = sum(map(len, result))
        framed = _RESULTS + varint(length)
        length += len(framed)
        if count and (count == MOST_RESULTS or size + length > MOST_BYTES):
            yield b"".join(parts)
            parts, count, size = [], 0, 0
        parts.append(framed)
        parts += result
        count += 1
        size += length
    if count:
        yield b"".join(parts)


def product_result(answer: ProductAnswer, now: datetime) -> pb.ProductResult:
    """Say what became of a product: all but what was asked for, the product and its raw JSON."""
    built = pb.ProductResult(
        status=pb.ProductStatus.ValueType(answer.status),
        token_count=answer.tokens,
        unsettled_token_count=answer.unsettled,
        reason=answer.reason,
        retry_delay=times.duration(answer.retry_after) if answer.retry_after is not None else None,
    )
    if answer.snapshot is not None:
        built.fetch_time.CopyFrom(times.timestamp(answer.snapshot.fetched_at))
        built.age_duration.CopyFrom(times.duration(max(now - answer.snapshot.fetched_at, FRESH)))
    return built


def _in_common(answer: ProductAnswer) -> object:
    """What the products of one call have in common: all that is not a text or a message.

    The status as a plain number, which has a quick hash.
    """
    return (
        int(answer.status),
        answer.tokens,
        answer.unsettled,
        answer.reason,
        answer.retry_after,
        None if answer.snapshot is None else answer.snapshot.fetched_at,
    )


def _own(answer: ProductAnswer, *, with_raw: bool) -> list[bytes]:
    """Give the fields of one product's own, in pieces."""
    requested, snapshot = answer.requested.encode(), answer.snapshot
    if snapshot is None or not snapshot.known:
        return [_REQUESTED, varint(len(requested)), requested]
    product = snapshot.product
    fields = [
        b"%b%b%b%b%b"
        % (_REQUESTED, varint(len(requested)), requested, _PRODUCT, varint(len(product))),
        product,
    ]
    if with_raw and snapshot.raw:
        fields += (_RAW_JSON, varint(len(snapshot.raw)), snapshot.raw)
    return fields
