"""Names and enum words of the domain as the contract's."""

from uuid import UUID

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as gateway_pb

from services.autosourcing.domain.job import State
from services.autosourcing.domain.picks import Action, Kind, Outcome, Recommendation


def job_name(job_id: UUID) -> str:
    """``jobs/{uuid}``."""
    return f"jobs/{job_id}"


def pick_name(pick_id: UUID) -> str:
    """``picks/{uuid}``."""
    return f"picks/{pick_id}"


def state(value: State) -> pb.JobState.ValueType:
    """The contract's word for a state."""
    return pb.JobState.Value(f"JOB_STATE_{value}")


def kind(value: Kind) -> pb.PickKind.ValueType:
    """The contract's word for a kind of pick."""
    return pb.PickKind.Value(f"PICK_KIND_{value}")


def action(value: Action) -> pb.PickAction.ValueType:
    """The contract's word for what a reseller decided."""
    return pb.PickAction.Value(f"PICK_ACTION_{value}")


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


def domain(word: str) -> gateway_pb.Domain.ValueType:
    """The contract's value for a marketplace's word."""
    return gateway_pb.Domain.Value(f"DOMAIN_{word or 'UNSPECIFIED'}")


def availability(word: str) -> discovery_pb.Availability.ValueType:
    """The contract's value for an availability's word."""
    return discovery_pb.Availability.Value(f"AVAILABILITY_{word or 'UNSPECIFIED'}")


def condition(word: str) -> discovery_pb.Condition.ValueType:
    """The contract's value for a condition's word."""
    return discovery_pb.Condition.Value(f"CONDITION_{word or 'UNSPECIFIED'}")
