"""Requests for deals as values of the domain, in Keepa's own words."""

from collections.abc import Iterable

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.keepa_gateway.api import requests
from services.keepa_gateway.domain.market_requests import (
    DealsRequest,
    LightningDealsRequest,
)

# Keepa's open ends: 32 bits everywhere, -1 for ranks.
OPEN_LEAST, OPEN_MOST, OPEN_RANK = -(2**31), 2**31 - 1, -1


def deals_request(request: pb.ListDealsRequest) -> DealsRequest:
    """Read a request for deals in Keepa's own words."""
    return DealsRequest(
        domain=request.domain or pb.DOMAIN_COM,
        price_type=request.selection.price_type,
        selection=deal_selection(request.selection),
        extra=requests.plain(request.selection.extra),
        page=request.page,
    )


def deal_selection(value: pb.DealSelection) -> dict[str, object]:
    """Spell a deal selection as Keepa does; what is absent does not restrict."""
    amazon = value.amazon_offer
    order = value.order or pb.DEAL_ORDER_NEWEST
    built: dict[str, object] = {
        "dateRange": max(value.interval - 1, 0),
        "isFilterEnabled": True,
        "filterErotic": not value.include_adult,
        "sortType": -order if value.reversed else int(order),
    }
    flags = {
        "isLowest": value.lowest_ever,
        "isLowest90": value.lowest_90d,
        "isLowestOffer": value.lowest_offer,
        "isBackInStock": value.back_in_stock,
        "isOutOfStock": value.out_of_stock,
        "hasReviews": value.has_reviews,
        "isPrimeExclusive": value.prime_exclusive,
        "singleVariation": value.single_variation,
        "mustHaveAmazonOffer": amazon == pb.DEAL_AMAZON_OFFER_PRESENT,
        "mustNotHaveAmazonOffer": amazon == pb.DEAL_AMAZON_OFFER_ABSENT,
    }
    built |= {key: True for key, wanted in flags.items() if wanted}
    texts: dict[str, Iterable[object]] = {
        "includeCategories": value.category_ids,
        "excludeCategories": value.excluded_category_ids,
        "warehouseConditions": value.warehouse_conditions,
        "author": value.authors,
        "binding": value.bindings,
        "brand": value.brands,
    }
    built |= {key: list(given) for key, given in texts.items() if given}
    if value.title:
        built["titleSearch"] = value.title
    if value.minimum_rating_tenths:
        built["minRating"] = value.minimum_rating_tenths
    return built | _ranges(value)


def _ranges(value: pb.DealSelection) -> dict[str, object]:
    fields = {
        "deltaRange": "change_range",
        "deltaPercentRange": "change_percent_range",
        "deltaLastRange": "last_change_range",
        "currentRange": "current_range",
        "salesRankRange": "sales_rank_range",
    }
    built: dict[str, object] = {}
    for key, field in fields.items():
        if value.HasField(field):  # type: ignore[arg-type]  # one of the names above
            given: pb.ValueRange = getattr(value, field)
            rank = field == "sales_rank_range"
            least = given.minimum if given.HasField("minimum") else (0 if rank else OPEN_LEAST)
            most = OPEN_RANK if rank else OPEN_MOST
            built[key] = [least, given.maximum if given.HasField("maximum") else most]
    if built:
        built["isRangeEnabled"] = True
    return built


def lightning_deals_request(request: pb.ListLightningDealsRequest) -> LightningDealsRequest:
    """Read a request for lightning deals."""
    return LightningDealsRequest(
        domain=request.domain or pb.DOMAIN_COM, asin=request.asin, full_list=request.full_list
    )
