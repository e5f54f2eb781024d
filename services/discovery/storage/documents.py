"""Domain values as JSON columns, and back."""

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import func
from sqlalchemy.sql.elements import ColumnElement

from services.chassis.reading import readable

R = TypeVar("R")
T = TypeVar("T")


def packed(value: object) -> Any:
    """Turn a value into what a JSON column takes."""
    return json.loads(msgspec.json.encode(value, order="deterministic"))


def unpacked(value: object, kind: type[T]) -> T:
    """Turn a JSON column back into the value it was."""
    return msgspec.convert(value, kind, strict=False)


def parted(
    rows: Iterable[tuple[str, R]], read: Callable[[R], T]
) -> tuple[tuple[T, ...], tuple[str, ...]]:
    """Read rows by their names; give the values, and the names of what cannot be read."""
    values = [(name, readable(name, read, row)) for name, row in rows]
    shown = tuple(value for _, value in values if value is not None)
    return shown, tuple(name for name, value in values if value is None)


def now_and(seconds: float) -> ColumnElement[Any]:
    """An instant of the database's clock, ``seconds`` from now."""
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
