"""Domain values as JSON columns, and back."""

import json
from typing import Any, TypeVar

import msgspec
from sqlalchemy import func
from sqlalchemy.sql.elements import ColumnElement

T = TypeVar("T")


def packed(value: object) -> Any:
    """Turn a value into what a JSON column takes."""
    return json.loads(msgspec.json.encode(value, order="deterministic"))


def unpacked(value: object, kind: type[T]) -> T:
    """Turn a JSON column back into the value it was."""
    return msgspec.convert(value, kind, strict=False)


def now_and(seconds: float) -> ColumnElement[Any]:
    """An instant of the database's clock, ``seconds`` from now."""
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
