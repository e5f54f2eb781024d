"""Writes a filled example of each event into `tests/contract/golden`, to be decoded for ever.

`python tools/golden.py` writes what is missing; `python tools/golden.py --check` names it. An
example is two files: the bytes as they were published, and the text that they must decode to.
Before the first release an event that has grown gets its example anew; afterwards it gets a
further one beside the old ones, which nobody may change.
"""

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "contract" / "golden"
RELEASED = ROOT / "protos" / "released.binpb"
SERVICES = ("autosourcing", "budget", "discovery", "keepa_gateway")
_EXAMPLE_SECONDS = 1_790_000_000

Field = Any  # protobuf's own stubs name two classes of field, of which one exists at run time.


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="name what is missing, write nothing")
    check: bool = parser.parse_args().check
    missing = [event for event in events() if newest(event.full_name) != encoded(example(event))]
    for event in missing:
        if check:
            print(f"{event.full_name} has no example that shows all of it")
        else:
            _write(event)
    if check and missing:
        print("Run `python tools/golden.py` and commit the result.")
        return 1
    return 0


def events() -> Iterator[Descriptor]:
    """Give the event messages of every service, by name."""
    for service in SERVICES:
        module = importlib.import_module(f"arbitragevault.{service}.v1.events_pb2")
        messages = module.DESCRIPTOR.message_types_by_name
        yield from (messages[name] for name in sorted(messages))


def stored(full_name: str) -> list[Path]:
    """Give the stored examples of an event, oldest first."""
    first = GOLDEN / f"{full_name}.bin"
    further = GOLDEN.glob(f"{full_name}-*.bin")
    return [*([first] if first.exists() else []), *sorted(further, key=_ordinal)]


def newest(full_name: str) -> bytes | None:
    """Give the bytes of the newest stored example; nothing when there is none."""
    examples = stored(full_name)
    return examples[-1].read_bytes() if examples else None


def encoded(message: Message) -> bytes:
    """Encode an example, the same on every machine."""
    return message.SerializeToString(deterministic=True)


def text(message: Message) -> str:
    """Write what a message holds; fields that it has no names for are left out."""
    return text_format.MessageToString(message, as_utf8=True)


def example(event: Descriptor) -> Message:
    """Fill every field of an event; of alternatives the first."""
    message: Message = GetMessageClass(event)()
    _fill(message)
    return message


def _write(event: Descriptor) -> None:
    message = example(event)
    examples = stored(event.full_name)
    number = len(examples) + 1 if RELEASED.exists() or not examples else len(examples)
    suffix = f"-{number}" if number > 1 else ""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / f"{event.full_name}{suffix}.bin").write_bytes(encoded(message))
    (GOLDEN / f"{event.full_name}{suffix}.txt").write_text(text(message), encoding="utf-8")


def _ordinal(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _fill(message: Message) -> None:
    if isinstance(message, Timestamp | Duration):
        message.seconds = _EXAMPLE_SECONDS if isinstance(message, Timestamp) else 60
        message.nanos = 250_000_000
        return
    for field in message.DESCRIPTOR.fields:
        alternatives = field.containing_oneof
        if alternatives is None or field is alternatives.fields[0]:
            _fill_field(message, field)


def _fill_field(message: Message, field: Field) -> None:
    target = getattr(message, field.name)
    if field.message_type is None:
        if field.is_repeated:
            target.append(_value(field))
        else:
            setattr(message, field.name, _value(field))
    elif field.message_type.GetOptions().map_entry:
        _fill_map(target, field.message_type)
    else:
        _fill(target.add() if field.is_repeated else target)


def _fill_map(target: Any, entry: Descriptor) -> None:
    key, value = (_value(entry.fields_by_name[name]) for name in ("key", "value"))
    target[key] = value


def _value(field: Field) -> str | bytes | bool | int | float:
    """Give a value that says which field it is in."""
    name: str = field.name
    number: int = field.number
    if field.enum_type is not None:
        return int(field.enum_type.values[1].number)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return name.encode()
    kinds: dict[int, str | bytes | bool | float] = {
        FieldDescriptor.CPPTYPE_BOOL: True,
        FieldDescriptor.CPPTYPE_DOUBLE: number + 0.25,
        FieldDescriptor.CPPTYPE_STRING: f"{name} é",
    }
    return kinds.get(field.cpp_type, 1000 + number)


if __name__ == "__main__":
    raise SystemExit(main())
