"""Requests as values of the domain: what several methods ask for."""

from datetime import timedelta
from uuid import UUID

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from services.chassis.errors import FieldViolation, Refusal
from services.chassis.rpc.call import current_call
from services.keepa_gateway.domain.attempt import Asking, Priority, Spending
from services.keepa_gateway.domain.products_request import ProductOptions, ProductsRequest
from services.keepa_gateway.domain.snapshot import DEFAULT_MAX_AGE

DEFAULT_STATS_DAYS = 90

Selection = pb.ProductSelection | pb.SellerSelection
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


def within(path: str, refusal: Refusal) -> Refusal:
    """Tell violations of a request that lies within another one by their whole paths."""
    if not refusal.violations:
        return refusal
    violations = [
        FieldViolation(f"{path}.{one.field}", one.description) for one in refusal.violations
    ]
    message = f"{path}.{refusal.message}"
    return Refusal(refusal.kind, refusal.reason, message, violations=violations)


def plain(value: Struct) -> dict[str, object]:
    """Read free fields; whole numbers stay whole, as Keepa wants them."""
    return {
        key: int(number) if isinstance(number, float) and number.is_integer() else number
        for key, number in json_format.MessageToDict(value).items()
    }


def ranges(value: Selection) -> dict[str, object]:
    """Spell the ranges of a selection as Keepa does; an open end does not restrict."""
    built: dict[str, object] = {}
    for one in value.ranges:
        if one.HasField("minimum"):
            built[f"{one.field}_gte"] = one.minimum
        if one.HasField("maximum"):
            built[f"{one.field}_lte"] = one.maximum
    return built


def sorts(value: Selection) -> list[list[str]]:
    """Spell the order of a selection as Keepa does."""
    return [[one.field, "desc" if one.descending else "asc"] for one in value.sorts]
