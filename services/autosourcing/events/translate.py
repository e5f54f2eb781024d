"""Discovery's events as facts about a job."""

from decimal import Decimal
from uuid import UUID

from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.discovery.v1 import events_pb2 as events
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as gateway_pb

from services.autosourcing.domain.job import Cause, Found, Scored, Stop
from services.autosourcing.domain.picks import Finding, Recommendation
from services.chassis.events.delivery import Poison

_CAUSES = {
    pb.STOP_REASON_RATE_LIMITED: Cause.RATE_LIMITED,
    pb.STOP_REASON_INSUFFICIENT_TOKENS: Cause.TOKENS,
    pb.STOP_REASON_ENVELOPE_ENDED: Cause.TOKENS,
    pb.STOP_REASON_DEADLINE: Cause.DEADLINE,
    pb.STOP_REASON_THROTTLED: Cause.DEADLINE,
    pb.STOP_REASON_KEEPA_UNAVAILABLE: Cause.UNAVAILABLE,
    pb.STOP_REASON_UPSTREAM_UNAVAILABLE: Cause.UNAVAILABLE,
    pb.STOP_REASON_KEY_REJECTED: Cause.KEY_REJECTED,
}
_RECOMMENDATIONS = {
    pb.RECOMMENDATION_STRONG_BUY: Recommendation.STRONG_BUY,
    pb.RECOMMENDATION_BUY: Recommendation.BUY,
    pb.RECOMMENDATION_CONSIDER: Recommendation.CONSIDER,
}
_SCORED = (
    gateway_pb.PRODUCT_STATUS_FOUND,
    gateway_pb.PRODUCT_STATUS_CACHED,
    gateway_pb.PRODUCT_STATUS_STALE,
)


def identity(value: str, field: str) -> UUID:
    """The UUID at the end of a name.

    Raises:
        Poison: There is none, and no redelivery will bring it.
    """
    try:
        return UUID(value.rpartition("/")[2])
    except ValueError as error:
        raise Poison(f"{field} does not hold a UUID: {value[:80]!r}") from error


def found(event: events.DiscoveryCompleted) -> Found:
    """What a search found."""
    return Found(tuple(event.asins), stop(event.info), event.info.token_count)


def nothing_found(event: events.DiscoveryFailed) -> Found:
    """A search that failed; it never does so without a reason."""
    return Found((), stop(event.info) or _fault(event.info), event.info.token_count)


def scored(event: events.ScoringCompleted) -> Scored:
    """What a scoring request answered; a product without data is where its status says."""
    by_status: dict[int, list[str]] = {}
    for score in event.scores:
        by_status.setdefault(score.product_status, []).append(score.asin)
    unknown = by_status.get(gateway_pb.PRODUCT_STATUS_UNKNOWN, [])
    absent = by_status.get(gateway_pb.PRODUCT_STATUS_NOT_FOUND, [])
    return Scored(
        findings=tuple(finding(each) for each in event.scores if each.product_status in _SCORED),
        unknown=(*event.unknown_asins, *unknown),
        absent=(*event.missing_asins, *absent),
        stop=stop(event.info),
        tokens=event.info.token_count,
    )


def nothing_scored(event: events.ScoringFailed) -> Scored:
    """A scoring request that failed before any product was answered."""
    return Scored(
        unknown=tuple(event.unknown_asins),
        stop=stop(event.info) or _fault(event.info),
        tokens=event.info.token_count,
    )


def finding(score: pb.ProductScore) -> Finding:
    """One scored product; numbers that are absent count as 0 and make no pick."""
    return Finding(
        asin=score.asin,
        title=score.title,
        recommendation=_RECOMMENDATIONS.get(score.recommendation, Recommendation.SKIP),
        buy_price_known=score.buy_basis not in (pb.BUY_BASIS_UNSPECIFIED, pb.BUY_BASIS_ASSUMED),
        currency_code=score.currency_code,
        sell_price_cents=score.sell_cents,
        buy_price_cents=score.buy_cents,
        profit_cents=score.profit_cents,
        max_buy_cents=score.max_buy_cents,
        roi_percent=_decimal(score.roi_percent),
        velocity=_decimal(score.velocity_score),
        stability=_decimal(score.stability_score),
        confidence=_decimal(score.confidence_score),
        sales_rank=score.sales_rank,
        buy_basis=pb.BuyBasis.Name(score.buy_basis).removeprefix("BUY_BASIS_"),
        flags=tuple(score.flags),
        summary=score.summary,
        document=score.SerializeToString(deterministic=True),
    )


def stop(info: pb.SearchInfo) -> Stop | None:
    """Why work stopped; None when it did not. A reason that is new here is a fault."""
    if info.stop_reason == pb.STOP_REASON_UNSPECIFIED:
        return None
    return Stop(_CAUSES.get(info.stop_reason, Cause.FAULT), info.stop_message)


def _fault(info: pb.SearchInfo) -> Stop:
    return Stop(Cause.FAULT, info.stop_message)


def _decimal(number: float) -> Decimal:
    """The number that was meant: 39.99 and not the nearest double."""
    return Decimal(str(number))
