"""Between the contract's messages and the domain's values."""

import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.errors import FieldViolation, Refusal
from services.chassis.rpc import times
from services.chassis.rpc.call import current_call
from services.keepa_gateway.domain.answers import ProductAnswer
from services.keepa_gateway.domain.attempt import Asking, Priority, Spending
from services.keepa_gateway.domain.breaker import Circuit
from services.keepa_gateway.domain.costs import Cost
from services.keepa_gateway.domain.egress import Egress
from services.keepa_gateway.domain.products_request import ProductOptions, ProductsRequest
from services.keepa_gateway.domain.snapshot import DEFAULT_MAX_AGE
from services.keepa_gateway.ports import Counts

DEFAULT_STATS_DAYS = 90
FRESH = timedelta(0)

PaidRequest = (
    pb.GetProductsRequest
    | pb.FindProductsRequest
    | pb.SearchProductsRequest
    | pb.ListBestSellersRequest
    | pb.GetCategoriesRequest
    | pb.SearchCategoriesRequest
    | pb.ListDealsRequest
    | pb.GetSellersRequest
    | pb.ListTopSellersRequest
    | pb.FindSellersRequest
    | pb.ListLightningDealsRequest
)


def asking(
    request: PaidRequest,
    *,
    cache_only: bool = False,
    fresh_only: bool = False,
    default_age: timedelta = DEFAULT_MAX_AGE,
) -> Asking:
    """Who asks, on whose account, and how old an answer may be."""
    age = request.max_age_duration if request.HasField("max_age_duration") else None
    return Asking(
        request_id=UUID(request.request_id),
        spending=spending(request.spending),
        until=current_call().deadline,
        max_age=default_age if age is None else age.ToTimedelta(),
        cache_only=cache_only,
        fresh_only=fresh_only,
    )


def spending(value: pb.Spending) -> Spending:
    """Read on whose account a request spends."""
    return Spending(
        envelope=value.envelope,
        priority=Priority(value.priority or Priority.INTERACTIVE),
        action=value.action,
        job=value.job,
        max_wait=value.max_wait_duration.ToTimedelta(),
        most_tokens=value.max_token_count,
    )


def products_request(request: pb.GetProductsRequest) -> ProductsRequest:
    """Read a product request; without options the current values are asked for, free of charge."""
    options = request.options
    if not request.HasField("options"):
        options = pb.ProductOptions(stats_days=DEFAULT_STATS_DAYS)
    return ProductsRequest(
        domain=request.domain or pb.DOMAIN_COM,
        asins=tuple(request.asins),
        codes=tuple(request.codes),
        code_limit=options.code_limit or 1,
        options=ProductOptions(
            history=options.history,
            history_days=options.history_days,
            stats_days=options.stats_days,
            offers=options.offer_count,
            only_live_offers=options.only_live_offers,
            stock=options.stock,
            buybox=options.buy_box,
            rating=options.rating,
            videos=options.videos,
            aplus=options.aplus,
            historical_variations=options.historical_variations,
            update_hours=options.update_hours if options.HasField("update_hours") else None,
        ),
    )


def product_result(answer: ProductAnswer, now: datetime) -> pb.ProductResult:
    """Say what became of a product: all but what was asked for, the product and its raw JSON."""
    built = pb.ProductResult(
        status=pb.ProductStatus.ValueType(answer.status),
        token_count=answer.tokens,
        unsettled_token_count=answer.unsettled,
        reason=answer.reason,
        retry_delay=times.duration(answer.retry_after) if answer.retry_after is not None else None,
    )
    if answer.snapshot is not None:
        built.fetch_time.CopyFrom(times.timestamp(answer.snapshot.fetched_at))
        built.age_duration.CopyFrom(times.duration(max(now - answer.snapshot.fetched_at, FRESH)))
    return built


def within(path: str, refusal: Refusal) -> Refusal:
    """Tell violations of a request that lies within another one by their whole paths."""
    if not refusal.violations:
        return refusal
    violations = [
        FieldViolation(f"{path}.{one.field}", one.description) for one in refusal.violations
    ]
    message = f"{path}.{refusal.message}"
    return Refusal(refusal.kind, refusal.reason, message, violations=violations)


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
