"""Domain values as JSON documents in a column."""

import json
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import Column, Dialect, Label, type_coerce
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

T = TypeVar("T")


class Document(TypeDecorator[T], Generic[T]):
    """Keeps one frozen dataclass as ``jsonb``.

    Fields that were added since a row was written take their defaults, and fields that were
    removed are ignored, so rows stay readable.
    """

    impl = JSONB
    cache_ok = True

    def __init__(self, kind: type[T]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: T | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Turn the value into what the driver takes."""
        return None if value is None else json.loads(msgspec.json.encode(value))

    def process_result_value(self, value: Any | None, dialect: Dialect) -> T | None:  # noqa: ARG002
        """Build the value again."""
        return None if value is None else rebuilt(self.kind, value)


def raw(column: Column[Any]) -> Label[Any]:
    """The JSON of a column of documents, for reads that `rebuilt` makes row by row."""
    return type_coerce(column, JSONB).label(column.name)


def rebuilt(kind: type[T], document: Any) -> T:
    """Build a value from its document.

    Raises:
        msgspec.ValidationError: It is no such value; a newer version may have written it.
    """
    return msgspec.json.decode(msgspec.json.encode(document), type=kind)
