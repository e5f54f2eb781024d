"""Requests are decoded and held against their annotations before anybody looks at them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import protovalidate
from google.protobuf import message
from google.protobuf.descriptor import Descriptor, EnumDescriptor

from services.chassis.errors import FieldViolation, Kind, Refusal, invalid_fields
from services.chassis.rpc import sizes
from services.chassis.rpc.patterns import in_words

Decoder = Callable[[bytes], Any]

# Of larger requests only the first violation is told. Half a million items that break their
# rules take a minute to name, and nobody else is answered meanwhile.
_BRIEF_BYTES = 4 << 10

_NO_NUL = "must not hold the character U+0000, which cannot be stored"


def checked(decode: Decoder, most_bytes: int) -> Decoder:
    """Build a decoder that raises a `Refusal` for bytes or fields that break the contract.

    Args:
        decode: Makes the message of its bytes.
        most_bytes: A larger request is not even decoded.
    """

    def decode_checked(data: bytes) -> Any:
        if len(data) > most_bytes:
            raise invalid_fields([sizes.too_large(data, decode(b"").DESCRIPTOR, most_bytes)])
        brief = len(data) > _BRIEF_BYTES
        try:
            request = decode(data)
        except (message.DecodeError, ValueError) as error:
            raise _malformed() from error
        violations = [
            _violation(found, request.DESCRIPTOR)
            for found in protovalidate.collect_violations(request, fail_fast=brief)
        ]
        # Rare, so that almost no request is walked through.
        if b"\0" in data and not (brief and violations):
            violations += [FieldViolation(path, _NO_NUL) for path in _with_nul(request)]
        if violations:
            raise invalid_fields(violations)
        return request

    return decode_checked


def checked_or_error(decode: Decoder, most_bytes: int) -> Decoder:
    """Build a decoder that returns what went wrong instead, for calls that are not entered yet."""
    inner = checked(decode, most_bytes)

    def decode_or_error(data: bytes) -> Any:
        try:
            return inner(data)
        except Exception as error:  # noqa: BLE001 - raised again once the call is entered
            return error

    return decode_or_error


def _with_nul(value: Any, path: str = "") -> Iterator[str]:
    """Name every text that holds a zero character: no annotation can, and PostgreSQL keeps none."""
    if isinstance(value, str):
        if "\0" in value:
            yield path
    elif isinstance(value, message.Message):
        for field, content in value.ListFields():
            yield from _with_nul(content, f"{path}.{field.name}" if path else field.name)
    elif isinstance(value, Mapping):
        for key in value:
            yield from _with_nul(key, path)
            yield from _with_nul(value[key], f"{path}[{key}]")
    elif not isinstance(value, bytes | int | float):
        for index, item in enumerate(value):
            yield from _with_nul(item, f"{path}[{index}]")


def _malformed() -> Refusal:
    return Refusal(
        Kind.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "The request's bytes are not a message of the expected type.",
        violations=[FieldViolation("", "must be a valid protobuf message of the request's type")],
    )


def _violation(found: protovalidate.Violation, request: Descriptor) -> FieldViolation:
    proto = found.proto
    elements = proto.field.elements if proto.field is not None else ()
    inside, choice = _end_of([element.field_number for element in elements], request)
    path = [_step(element) for element in elements]
    if inside is not None and proto.rule_id in inside.fields_by_name:
        path.append(proto.rule_id)  # A rule over a whole message bears the name of a field.
    told = proto.message or f"breaks the rule {proto.rule_id}"
    if proto.rule_id == "string.pattern":
        told = f"must be {in_words(told.partition('`')[2].rpartition('`')[0])}"
    elif choice is not None and proto.rule_id in {"enum.defined_only", "required"}:
        told = f"must be one of {', '.join(one.name for one in choice.values if one.number)}"
    return FieldViolation(".".join(path), told)


def _end_of(
    numbers: list[int], request: Descriptor
) -> tuple[Descriptor | None, EnumDescriptor | None]:
    """Find the message or the enum at the end of a path of field numbers."""
    at: Descriptor | None = request
    choice: EnumDescriptor | None = None
    for number in numbers:
        assert at is not None
        field = at.fields_by_number[number]
        if field.message_type and field.message_type.GetOptions().map_entry:
            field = field.message_type.fields_by_name["value"]
        at, choice = field.message_type, field.enum_type
    return at, choice


def _step(element: Any) -> str:
    subscript = element.subscript
    key = getattr(subscript, "value", None)
    return element.field_name if key is None else f"{element.field_name}[{key}]"
