"""Which field makes a request too large, without decoding it."""

from collections.abc import Iterator

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor

from services.chassis.errors import FieldViolation

# So many fields are looked at: a large one is met at once, and a long list lies in one piece.
_LOOKED_AT = 1_000
_VARINT, _EIGHT_BYTES, _COUNTED, _FOUR_BYTES = 0, 1, 2, 5
_FIXED = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}


def too_large(data: bytes, kind: Descriptor, most: int) -> FieldViolation:
    """Name the field that takes the most room in a request of more than ``most`` bytes."""
    sizes: dict[int, int] = {}
    for number, size in _fields(data):
        sizes[number] = sizes.get(number, 0) + size
    field = kind.fields_by_number.get(max(sizes, key=sizes.__getitem__, default=0))
    told = f"the request has {len(data)} bytes, of which {most} are allowed"
    if field is None:
        return FieldViolation("", told)
    own = field.GetOptions().Extensions[validate_pb2.field].bytes.max_len
    return FieldViolation(field.name, f"must be at most {own} bytes; {told}" if own else told)


def _fields(data: bytes) -> Iterator[tuple[int, int]]:
    """Number and size of each of the first fields, until one that cannot be read.

    Source: protobuf.dev/programming-guides/encoding.
    """
    at = 0
    for _ in range(_LOOKED_AT):
        begin = at
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == _COUNTED:
            size, at = _varint(data, at)
            at += size
        elif wire == _VARINT:
            _, at = _varint(data, at)
        elif wire in _FIXED:
            at += _FIXED[wire]
        else:
            return
        if at > len(data) or tag >> 3 == 0:
            return
        yield tag >> 3, at - begin


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of up to ten bytes; what is cut off ends behind the data."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    return 0, len(data) + 1
