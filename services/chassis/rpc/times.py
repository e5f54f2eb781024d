"""Instants and spans as the messages that stand for them, where None stays absent; and instants back."""

from datetime import UTC, datetime, timedelta
from typing import overload

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.errors import invalid_field


@overload
def timestamp(instant: datetime) -> Timestamp: ...
@overload
def timestamp(instant: datetime | None) -> Timestamp | None: ...
def timestamp(instant: datetime | None) -> Timestamp | None:
    """Write an instant, which knows its zone."""
    if instant is None:
        return None
    message = Timestamp()
    message.FromDatetime(instant)
    return message


@overload
def duration(span: timedelta) -> Duration: ...
@overload
def duration(span: timedelta | None) -> Duration | None: ...
def duration(span: timedelta | None) -> Duration | None:
    """Write a span of time."""
    if span is None:
        return None
    message = Duration()
    message.FromTimedelta(span)
    return message


def instant(stamp: Timestamp, field: str) -> datetime:
    """Read an instant in UTC; ``field`` is where in the request it stands.

    Raises:
        Refusal: INVALID_FIELD; no calendar has it.
    """
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid_field(field, "must lie within the years 1 to 9999") from None
