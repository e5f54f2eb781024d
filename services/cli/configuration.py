"""The scoring configuration as paths and values: how a person reads and writes it."""

from collections.abc import Iterable, Iterator
from typing import Any

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.cli.options import named

PARTS = ("fees", "recommendations", "gates")
_NAMES = {"name", "strategy"}
"""What says whose values they are."""


def values(config: discovery.ScoringConfig) -> Iterator[tuple[str, str]]:
    """Give every value that can be set, by its path, such as `fees.prep_cents`."""
    for part in PARTS:
        yield from _values(part, getattr(config, part))
    for strategy in config.strategies:
        name = discovery.Strategy.Name(strategy.strategy).removeprefix("STRATEGY_").lower()
        yield from _values(f"strategies.{name}", strategy)
    for view in config.views:
        yield from _values(f"views.{view.name.removeprefix('views/')}", view)


def proposal(assignments: Iterable[str]) -> discovery.ScoringConfig:
    """Build a configuration that holds what is assigned and nothing else.

    Args:
        assignments: Such as `fees.prep_cents=150` or
            `strategies.balanced.velocity_scores=80,60,40`.

    Raises:
        typer.BadParameter: A path or a value is none; it says which there are.
    """
    built = discovery.ScoringConfig()
    for each in assignments:
        path, assigned, value = each.partition("=")
        if not assigned:
            raise _wrong(each, "must be PATH=VALUE, such as fees.prep_cents=150")
        *where, field = path.strip().split(".")
        _assign(_part(built, path, where), path, field, value.strip())
    return built


def _part(built: discovery.ScoringConfig, path: str, where: list[str]) -> Message:
    match where:
        case [part] if part in PARTS:
            found: Message = getattr(built, part)
            found.SetInParent()
            return found
        case ["strategies", name]:
            strategy = named(discovery.Strategy, "STRATEGY_", name, path)
            known = [one for one in built.strategies if one.strategy == strategy]
            return known[0] if known else built.strategies.add(strategy=strategy)
        case ["views", name]:
            views = [one for one in built.views if one.name == f"views/{name}"]
            return views[0] if views else built.views.add(name=f"views/{name}")
    allowed = ", ".join(f"{part}.<field>" for part in PARTS)
    raise _wrong(path, f"must be {allowed}, strategies.<strategy>.<field> or views.<view>.<field>")


def _assign(part: Message, path: str, name: str, value: str) -> None:
    fields = {one.name: one for one in part.DESCRIPTOR.fields if one.name not in _NAMES}
    if name not in fields:
        raise _wrong(path, f"the field must be one of {', '.join(fields)}")
    field = fields[name]
    exact = float if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE else int
    many = isinstance(getattr(part, name), Iterable)
    try:
        read = [exact(one) for one in (value.split(",") if many else [value])]
        if many:
            part.ClearField(name)
            getattr(part, name).extend(read)
        else:
            setattr(part, name, read[0])
    except ValueError:
        kind = "numbers" if exact is float else "whole numbers"
        told = f"{kind} parted by commas" if many else f"a {kind[:-1]}"
        raise _wrong(path, f"must be {told}, not {value!r}") from None


def _values(path: str, message: Message) -> Iterator[tuple[str, str]]:
    for field in message.DESCRIPTOR.fields:
        if field.name not in _NAMES:
            yield f"{path}.{field.name}", _text(getattr(message, field.name))


def _text(value: Any) -> str:
    if isinstance(value, Iterable):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _wrong(what: str, told: str) -> typer.BadParameter:
    return typer.BadParameter(told, param_hint=what)
