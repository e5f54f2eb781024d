"""Values of the domain as messages: what several answers share, and the gateway's own state."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.rpc import times
from services.keepa_gateway.domain.breaker import Circuit
from services.keepa_gateway.domain.costs import Cost
from services.keepa_gateway.domain.egress import Egress
from services.keepa_gateway.domain.series import seconds
from services.keepa_gateway.ports import Counts

Item = TypeVar("Item")

IMAGES = "https://m.media-amazon.com/images/I/"


def time(minute: int | None) -> Timestamp | None:
    """Turn a Keepa minute into an instant; nothing when it is unknown."""
    return Timestamp(seconds=seconds(minute)) if minute is not None and minute > 0 else None


def at(values: Sequence[Item] | None, place: int) -> Item | None:
    """Give one place of an array that may be short or missing."""
    return values[place] if values is not None and place < len(values) else None


def number(value: float | None) -> float | None:
    """Keepa's -1 as nothing."""
    return None if value is None or value < 0 else value


_CIRCUITS = {
    Circuit.CLOSED: pb.CIRCUIT_STATE_CLOSED,
    Circuit.OPEN: pb.CIRCUIT_STATE_OPEN,
    Circuit.TRYING: pb.CIRCUIT_STATE_HALF_OPEN,
}


def egress_status(state: Egress, counts: Counts, now: datetime, per_minute: int) -> pb.EgressStatus:
    """Build what stands between a request and Keepa."""
    built = pb.EgressStatus(
        open=state.refusal(now) is None,
        circuit=_CIRCUITS[state.breaker.circuit(now)],
        throttle_available_count=counts.places,
        throttle_per_minute_count=per_minute,
        key_rejected=state.rejected_at is not None,
        pending_count=counts.pending,
        unknown_count=counts.unknown,
        failure_count=state.breaker.failures,
    )
    if state.breaker.opened_until is not None:
        built.circuit_retry_time.CopyFrom(times.timestamp(state.breaker.opened_until))
    if state.paused_until is not None and state.paused_until > now:
        built.pause_end_time.CopyFrom(times.timestamp(state.paused_until))
    return built


def snapshot_status(counts: Counts) -> pb.SnapshotStatus:
    """Build what is told of the store."""
    return pb.SnapshotStatus(
        product_count=counts.products,
        hit_count=counts.hits,
        saved_token_count=counts.saved,
    )


def estimate(cost: Cost, cached: int) -> pb.EstimateCostResponse:
    """Build an estimate."""
    return pb.EstimateCostResponse(
        least_token_count=cost.least,
        expected_token_count=cost.expected,
        most_token_count=cost.most,
        cached_count=cached,
    )


def refill_wait_minutes(account: budget.Account, now: datetime) -> float:
    """Minutes to the next refill, rounded up to a tenth; 0 when nothing is known."""
    if not account.HasField("next_tick_time"):
        return 0.0
    seconds = (account.next_tick_time.ToDatetime(UTC) - now).total_seconds()
    return math.ceil(max(seconds, 0) / 6) / 10
