"""Stored rows that cannot be read: named in the log, left as they are, and in nobody's way."""

from collections.abc import Callable
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
