"""Changes of what people keep: which fields a request names, and the value they make."""

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from google.protobuf.message import Message

from services.chassis.errors import invalid_field

Value = TypeVar("Value")
Given = TypeVar("Given", bound=Message)


def named(
    request: pb.UpdateProfileRequest | pb.UpdateScheduleRequest,
    given: Message,
    fields: Collection[str],
) -> set[str]:
    """The fields that change; without a path in the mask, each of ``fields`` that is not empty.

    Raises:
        Refusal: The mask names what is none of ``fields``, such as a part of one.
    """
    if not request.update_mask.paths:
        return {field.name for field, _ in given.ListFields()} & set(fields)
    names = set(request.update_mask.paths)
    if parts := names - set(fields):
        raise invalid_field("update_mask", f"must name whole fields, not {min(parts)}")
    return names


def made(
    saved: Value,
    given: Given,
    names: Collection[str],
    setters: Mapping[str, Callable[[Value, Given], Value]],
) -> Value:
    """The value that is made of ``saved`` by setting ``names``, in the order of the setters."""
    for name, setter in setters.items():
        if name in names:
            saved = setter(saved, given)
    return saved
