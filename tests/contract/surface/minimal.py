"""The smallest request of any RPC that its own rules let through."""

import re
import uuid
from datetime import timedelta
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

Field = Any  # protobuf's own stubs name two classes of field, of which one exists at run time.

UUID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
NAMES = (
    *(f"{kind}/{UUID}" for kind in ("bookmarks", "jobs", "picks", "reservations", "schedules")),
    *(f"{kind}/{UUID}" for kind in ("scores", "searches")),
    *("accounts/default", "actions/manual_search", "profiles/textbooks", "views/velocity"),
    *("0593655036", "A2L77EE7U53NWQ", "NEW"),
)
# What only a rule over several fields asks for.
BESIDES: dict[str, dict[str, Any]] = {
    "CreateProfileRequest": {"profile.display_name": "Textbooks"},
    "CreateSavedNicheRequest": {"saved_niche.display_name": "Textbooks"},
    "CreateScheduleRequest": {"schedule.hours": [7], "schedule.spec.profile": "profiles/textbooks"},
    "ListLightningDealsRequest": {"asin": "0593655036"},
    "UpdateProfileRequest": {"profile.name": "profiles/textbooks"},
    "UpdateSavedNicheRequest": {"saved_niche.name": f"bookmarks/{UUID}"},
    "UpdateScheduleRequest": {"schedule.name": f"schedules/{UUID}"},
    "UpdateScoringConfigRequest": {"config.etag": "1"},
}


def request(kind: Descriptor) -> Message:
    """Fill what is required, and nothing else."""
    message: Message = GetMessageClass(kind)()
    _fill(message)
    for path, value in BESIDES.get(kind.name, {}).items():
        *outer, last = path.split(".")
        target = message
        for name in outer:
            target = getattr(target, name)
        if isinstance(value, list):
            getattr(target, last).extend(value)
        else:
            setattr(target, last, value)
    return message


def _fill(message: Message) -> None:
    if message.DESCRIPTOR.file.package == "google.protobuf":
        return
    for alternatives in message.DESCRIPTOR.oneofs:
        if alternatives.GetOptions().Extensions[validate_pb2.oneof].required:
            _fill(_present(message, alternatives.fields[0]))
    for field in message.DESCRIPTOR.fields:
        rules = field.GetOptions().Extensions[validate_pb2.field]
        if field.is_repeated:
            for _ in range(rules.repeated.min_items):
                _append(message, field, rules.repeated.items)
        elif field.message_type is not None:
            if rules.required:
                _fill(_present(message, field))
        elif not field.has_presence or rules.required:
            setattr(message, field.name, _value(field, rules))


def _present(message: Message, field: Field) -> Message:
    inner: Message = getattr(message, field.name)
    inner.SetInParent()
    if isinstance(inner, Duration):
        inner.FromTimedelta(timedelta(minutes=1))
    return inner


def _append(message: Message, field: Field, rules: validate_pb2.FieldRules) -> None:
    target = getattr(message, field.name)
    if field.message_type is not None:
        _fill(target.add())
    else:
        target.append(_value(field, rules))


def _value(field: Field, rules: validate_pb2.FieldRules) -> str | bytes | int | bool:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text(rules.string)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"x" * rules.bytes.min_len
    if field.enum_type is not None:
        return 1 if rules.required or 0 in rules.enum.not_in else 0
    if field.type == FieldDescriptor.TYPE_INT32:
        return _number(rules.int32)
    return _number(rules.int64) if field.type == FieldDescriptor.TYPE_INT64 else 0


def _number(rules: validate_pb2.Int32Rules | validate_pb2.Int64Rules) -> int:
    return max(0, rules.gte, rules.gt + 1 if rules.HasField("gt") else 0)


def _text(rules: validate_pb2.StringRules) -> str:
    if rules.uuid:
        return str(uuid.uuid4())
    choices = getattr(rules, "in")
    if choices:
        return str(choices[0])
    if rules.pattern:
        return next(name for name in ("", *NAMES) if re.search(rules.pattern, name))
    return "x" * rules.min_len
