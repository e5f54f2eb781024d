"""Stored rows that cannot be read: named in the log, left as they are, and in nobody's way."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from services.chassis import telemetry

R = TypeVar("R")
T = TypeVar("T")
_log = telemetry.get_logger(__name__)


def readable(name: str, read: Callable[[R], T], row: R) -> T | None:
    """Read ``row``, or name it in the log and give ``None``.

    A list that ended at such a row would hide all the others until somebody mends it. An
    operator finds it by the name; nothing is written, so that a version which can read it does.

    Args:
        name: Of the resource that the row holds.
        read: Raises ``ValueError`` for a row that is damaged, or that another version wrote.
        row: What ``read`` takes.
    """
    try:
        return read(row)
    except ValueError as error:
        _log.error("row cannot be read", name=name, error=str(error))
        return None


def parted(
    rows: Iterable[tuple[str, R]], read: Callable[[R], T]
) -> tuple[tuple[T, ...], tuple[str, ...]]:
    """Read rows by their names; give the values, and the names of what cannot be read."""
    values = [(name, readable(name, read, row)) for name, row in rows]
    shown = tuple(value for _, value in values if value is not None)
    return shown, tuple(name for name, value in values if value is None)
