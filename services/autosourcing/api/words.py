"""Names and enum words of the contract as domain values, and back."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as gateway_pb
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.autosourcing.domain.calendar import known_zone
from services.autosourcing.domain.job import State
from services.autosourcing.domain.picks import Action, Kind, Outcome, Recommendation
from services.chassis.errors import invalid_field


def job_name(job_id: UUID) -> str:
    """``jobs/{uuid}``."""
    return f"jobs/{job_id}"


def pick_name(pick_id: UUID) -> str:
    """``picks/{uuid}``."""
    return f"picks/{pick_id}"


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


def state(value: State) -> pb.JobState.ValueType:
    """The contract's word for a state."""
    return pb.JobState.Value(f"JOB_STATE_{value}")


def state_asked(value: pb.JobState.ValueType) -> State | None:
    """The state that is asked for; None for every state."""
    word = pb.JobState.Name(value).removeprefix("JOB_STATE_")
    return State(word) if value else None


def kind(value: Kind) -> pb.PickKind.ValueType:
    """The contract's word for a kind of pick."""
    return pb.PickKind.Value(f"PICK_KIND_{value}")


def action(value: Action) -> pb.PickAction.ValueType:
    """The contract's word for what a reseller decided."""
    return pb.PickAction.Value(f"PICK_ACTION_{value}")


def action_asked(value: pb.PickAction.ValueType) -> Action | None:
    """The action that is named; None when none is."""
    word = pb.PickAction.Name(value).removeprefix("PICK_ACTION_")
    return Action(word) if value else None


def outcome(value: Outcome) -> pb.ProductOutcome.ValueType:
    """The contract's word for what became of a product."""
    return pb.ProductOutcome.Value(f"PRODUCT_OUTCOME_{value}")


def recommendation(value: Recommendation | None) -> discovery_pb.Recommendation.ValueType:
    """The contract's word for a recommendation; unspecified without one."""
    if value is None:
        return discovery_pb.RECOMMENDATION_UNSPECIFIED
    return discovery_pb.Recommendation.Value(f"RECOMMENDATION_{value}")


def strategy(word: str) -> discovery_pb.Strategy.ValueType:
    """The contract's value for a strategy's word."""
    return discovery_pb.Strategy.Value(f"STRATEGY_{word or 'UNSPECIFIED'}")


def strategy_asked(value: discovery_pb.Strategy.ValueType) -> str:
    """The word of a strategy; empty when none is named."""
    return discovery_pb.Strategy.Name(value).removeprefix("STRATEGY_") if value else ""


def domain(word: str) -> gateway_pb.Domain.ValueType:
    """The contract's value for a marketplace's word."""
    return gateway_pb.Domain.Value(f"DOMAIN_{word or 'UNSPECIFIED'}")


def domain_asked(value: gateway_pb.Domain.ValueType) -> str:
    """The word of a marketplace; empty when none is named."""
    return gateway_pb.Domain.Name(value).removeprefix("DOMAIN_") if value else ""


def availability(word: str) -> discovery_pb.Availability.ValueType:
    """The contract's value for an availability's word."""
    return discovery_pb.Availability.Value(f"AVAILABILITY_{word or 'UNSPECIFIED'}")


def availability_asked(value: discovery_pb.Availability.ValueType) -> str:
    """The word of an availability; empty when none is named."""
    return discovery_pb.Availability.Name(value).removeprefix("AVAILABILITY_") if value else ""


def condition(word: str) -> discovery_pb.Condition.ValueType:
    """The contract's value for a condition's word."""
    return discovery_pb.Condition.Value(f"CONDITION_{word or 'UNSPECIFIED'}")


def condition_asked(value: discovery_pb.Condition.ValueType) -> str:
    """The word of a condition; empty when none is named."""
    return discovery_pb.Condition.Name(value).removeprefix("CONDITION_") if value else ""


def instant(message: Message, field: str) -> datetime | None:
    """The instant in a field; None when it is absent."""
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except ValueError:
        raise invalid_field(field, "must lie within the years 1 to 9999") from None
