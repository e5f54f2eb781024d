"""Reading what can be read of an answer in which Keepa changed something.

A page of 150 deals was paid for: one field of another type in one of them must not cost the rest.
"""

from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from services.keepa_gateway.domain.bodies import BrokenBody, decoded

Form = TypeVar("Form", bound=msgspec.Struct)


def pruned(body: bytes, form: type[Form]) -> tuple[Form, tuple[str, ...]]:
    """Read a body, and name the fields and items that had to be left out of it.

    Raises:
        BrokenBody: It is no JSON, or of a list in it nothing can be read: that is not an empty one.
    """
    dropped: list[str] = []
    kept = _kept(decoded(body, dict[str, Any]), form, "$", dropped)
    return msgspec.convert(kept, form), tuple(dropped)


def _kept(value: Any, kind: Any, place: str, dropped: list[str]) -> Any:
    """Give the parts of a value that are of a kind."""
    kind = _present(kind)
    if _fits(value, kind):
        return value
    left: Any
    if _is_struct(kind) and isinstance(value, dict):
        left = dict(_fields(value, kind, place, dropped))
    elif get_origin(kind) is dict and isinstance(value, dict):
        left = dict(_items(value.items(), get_args(kind)[1], place, dropped))
    elif _holds_items(kind) and isinstance(value, list):
        numbered = ((str(at), one) for at, one in enumerate(value))
        left = [one for _, one in _items(numbered, get_args(kind)[0], place, dropped)]
    else:
        # Places of an array of numbers mean something: without one of them the rest is wrong.
        raise BrokenBody
    if not left or not _fits(left, kind):
        raise BrokenBody
    return left


def _fields(
    value: dict[str, Any], kind: Any, place: str, dropped: list[str]
) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name not in value:
            continue
        try:
            yield name, _kept(value[name], field.type, f"{place}.{name}", dropped)
        except BrokenBody:
            if _holds_items(_present(field.type)) or _is_struct(_present(field.type)):
                raise
            dropped.append(f"{place}.{name}")


def _items(
    parts: Iterable[tuple[str, Any]], kind: Any, place: str, dropped: list[str]
) -> Iterator[tuple[str, Any]]:
    for name, value in parts:
        try:
            yield name, _kept(value, kind, f"{place}.{name}", dropped)
        except BrokenBody:
            dropped.append(f"{place}.{name}")


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _present(kind: Any) -> Any:
    """The kind of a value that may be nothing."""
    kinds = [one for one in get_args(kind) if one is not NoneType]
    return kinds[0] if NoneType in get_args(kind) and len(kinds) == 1 else kind


def _holds_items(kind: Any) -> bool:
    """Whether it is a list, or a dictionary, of things that have fields."""
    return get_origin(kind) in (list, dict) and _is_struct(get_args(kind)[-1])


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
