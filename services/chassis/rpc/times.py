"""Instants and spans as the messages that stand for them; None stays absent."""

from datetime import datetime, timedelta
from typing import overload

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


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
