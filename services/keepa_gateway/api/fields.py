"""Small conversions that the messages of several answers share."""

from collections.abc import Sequence
from typing import TypeVar

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from services.keepa_gateway.domain.series import seconds

Item = TypeVar("Item")

IMAGES = "https://m.media-amazon.com/images/I/"


def plain(value: Struct) -> dict[str, object]:
    """Read free fields; whole numbers stay whole, as Keepa wants them."""
    return {
        key: int(number) if isinstance(number, float) and number.is_integer() else number
        for key, number in json_format.MessageToDict(value).items()
    }


def time(minute: int | None) -> Timestamp | None:
    """Turn a Keepa minute into an instant; nothing when it is unknown."""
    return Timestamp(seconds=seconds(minute)) if minute is not None and minute > 0 else None


def at(values: Sequence[Item] | None, place: int) -> Item | None:
    """Give one place of an array that may be short or missing."""
    return values[place] if values is not None and place < len(values) else None


def number(value: float | None) -> float | None:
    """Keepa's -1 as nothing."""
    return None if value is None or value < 0 else value
