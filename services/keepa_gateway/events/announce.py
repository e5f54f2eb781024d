"""Facts of the domain as the contract's events."""

from arbitragevault.keepa_gateway.v1 import events_pb2 as events
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.message import Message

from services.chassis.rpc import times
from services.keepa_gateway.domain.breaker import Circuit
from services.keepa_gateway.domain.facts import (
    CircuitChanged,
    Fact,
    KeyRejected,
    ProductsFetched,
    RateLimited,
)

_CIRCUITS = {
    Circuit.CLOSED: pb.CIRCUIT_STATE_CLOSED,
    Circuit.OPEN: pb.CIRCUIT_STATE_OPEN,
    Circuit.TRYING: pb.CIRCUIT_STATE_HALF_OPEN,
}


def event(fact: Fact, *, account: str) -> Message:
    """Translate a fact into its event."""
    match fact:
        case ProductsFetched():
            return events.ProductsFetched(
                domain=pb.Domain.ValueType(fact.domain),
                asins=fact.asins,
                missing_asins=fact.missing,
                token_count=fact.tokens,
                fetch_time=times.timestamp(fact.fetched_at),
            )
        case RateLimited():
            return events.RateLimited(
                balance_token_count=fact.balance, pause_end_time=times.timestamp(fact.paused_until)
            )
        case CircuitChanged():
            return events.CircuitChanged(
                previous_state=_CIRCUITS[fact.before],
                state=_CIRCUITS[fact.after],
                change_time=times.timestamp(fact.changed_at),
            )
        case KeyRejected():
            return events.KeyRejected(
                detect_time=times.timestamp(fact.detected_at), account=f"accounts/{account}"
            )
