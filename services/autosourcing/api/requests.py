"""Requests as domain values: who asks under which id, names, instants and enum words."""

import hashlib
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as gateway_pb
from google.protobuf.message import Message

from services.autosourcing.domain.calendar import known_zone
from services.autosourcing.domain.job import State
from services.autosourcing.domain.picks import Action
from services.autosourcing.ports import PickFilter, Request
from services.chassis.errors import invalid_field
from services.chassis.files import forms
from services.chassis.rpc import times


def request(method: str, message: Message, leave_out: tuple[str, ...] = ()) -> Request:
    """The request as it is remembered: its id, and a digest of everything else."""
    content = type(message)()
    content.CopyFrom(message)
    for name in ("request_id", *leave_out):
        content.ClearField(name)
    digest = hashlib.sha256(method.encode() + content.SerializeToString(deterministic=True))
    return Request(identity(getattr(message, "request_id"), "request_id"), digest.digest())  # noqa: B009


def pick_filter(request: pb.ListPicksRequest | pb.ExportPicksRequest) -> PickFilter:
    """Which picks are asked for."""
    return PickFilter(
        job_id=identity(request.job, "job") if request.job else None,
        action=action(request.action),
    )


def identity(name: str, field: str = "name") -> UUID:
    """The id in a resource name, or an id alone.

    Raises:
        Refusal: It is no UUID.
    """
    try:
        return UUID(last_id(name))
    except ValueError:
        raise invalid_field(field, "does not hold a UUID") from None


def zone(name: str, field: str) -> ZoneInfo:
    """The time zone that is asked for; UTC without a name.

    Raises:
        Refusal: There is no such zone.
    """
    found = known_zone(name or "UTC")
    if found is None:
        raise invalid_field(field, "is no IANA time zone, such as Europe/Paris")
    return found


def last_id(name: str) -> str:
    """What follows the slash of a resource name; empty when there is no name."""
    return name.rpartition("/")[2]


def state(value: pb.JobState.ValueType) -> State | None:
    """The state that is asked for; None for every state."""
    word = pb.JobState.Name(value).removeprefix("JOB_STATE_")
    return State(word) if value else None


def action(value: pb.PickAction.ValueType) -> Action | None:
    """The action that is named; None when none is."""
    word = pb.PickAction.Name(value).removeprefix("PICK_ACTION_")
    return Action(word) if value else None


def strategy(value: discovery_pb.Strategy.ValueType) -> str:
    """The word of a strategy; empty when none is named."""
    return discovery_pb.Strategy.Name(value).removeprefix("STRATEGY_") if value else ""


def domain(value: gateway_pb.Domain.ValueType) -> str:
    """The word of a marketplace; empty when none is named."""
    return gateway_pb.Domain.Name(value).removeprefix("DOMAIN_") if value else ""


def availability(value: discovery_pb.Availability.ValueType) -> str:
    """The word of an availability; empty when none is named."""
    return discovery_pb.Availability.Name(value).removeprefix("AVAILABILITY_") if value else ""


def condition(value: discovery_pb.Condition.ValueType) -> str:
    """The word of a condition; empty when none is named."""
    return discovery_pb.Condition.Name(value).removeprefix("CONDITION_") if value else ""


def form(value: pb.ExportFormat.ValueType) -> forms.Form:
    """The form of a file; annotations demand one."""
    return forms.FORMS[pb.ExportFormat.Name(value).removeprefix("EXPORT_FORMAT_")]


def instant(message: Message, field: str) -> datetime | None:
    """The instant in a field; None when it is absent."""
    if not message.HasField(field):
        return None
    return times.instant(getattr(message, field), field)
