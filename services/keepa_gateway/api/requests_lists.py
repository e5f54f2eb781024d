"""Requests for lists as values of the domain, in Keepa's own words."""

from collections.abc import Callable
from typing import Any

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.message import Message

from services.keepa_gateway.api import requests, requests_deals, requests_sellers
from services.keepa_gateway.domain.list_requests import (
    BestSellersRequest,
    CategoriesRequest,
    CategorySearchRequest,
    FinderRequest,
    ListRequest,
    ProductSearchRequest,
)
from services.keepa_gateway.domain.products_request import ProductOptions

DEFAULT_PER_PAGE = 50
_AVAILABILITY_OFFSET = 2


def finder_request(request: pb.FindProductsRequest) -> FinderRequest:
    """Read a Product Finder request in Keepa's own words."""
    return FinderRequest(
        domain=request.domain or pb.DOMAIN_COM,
        selection=selection(request.selection),
        page=request.page,
        per_page=request.per_page or DEFAULT_PER_PAGE,
        insights=request.insights,
    )


def selection(value: pb.ProductSelection) -> dict[str, object]:
    """Spell a selection as Keepa does; what is not typed passes as it is."""
    built = requests.plain(value.extra)
    if value.root_category_id:
        built["rootCategory"] = [value.root_category_id]
    for name, given in (
        ("categories_include", value.category_ids),
        ("categories_exclude", value.excluded_category_ids),
        ("author", value.authors),
        ("binding", value.bindings),
        (
            "availabilityAmazon",
            [each - _AVAILABILITY_OFFSET for each in value.amazon_availabilities],
        ),
    ):
        if given:
            built[name] = list(given)
    if value.title:
        built["title"] = value.title
    built["productType"] = [each - 1 for each in value.types] or [0]
    built |= requests.ranges(value)
    built["sort"] = requests.sorts(value) or [["current_SALES", "asc"]]
    return built


def best_sellers_request(request: pb.ListBestSellersRequest) -> BestSellersRequest:
    """Read a best-seller request."""
    return BestSellersRequest(
        domain=request.domain or pb.DOMAIN_COM,
        category=request.category_id,
        range_days=request.range_days,
        year=request.year,
        month=request.month,
        variations=request.variations,
        sublist=request.sublist,
    )


def categories_request(request: pb.GetCategoriesRequest) -> CategoriesRequest:
    """Read a request for categories."""
    return CategoriesRequest(
        domain=request.domain or pb.DOMAIN_COM,
        categories=tuple(request.category_ids),
        parents=request.include_parents,
    )


def category_search_request(request: pb.SearchCategoriesRequest) -> CategorySearchRequest:
    """Read a search for categories."""
    return CategorySearchRequest(domain=request.domain or pb.DOMAIN_COM, term=request.term)


def product_search_request(request: pb.SearchProductsRequest) -> ProductSearchRequest:
    """Read a search for products."""
    return ProductSearchRequest(
        domain=request.domain or pb.DOMAIN_COM,
        term=request.term,
        asins_only=request.asins_only,
        options=ProductOptions(
            history=request.history,
            stats_days=request.stats_days,
            rating=request.rating,
            update_hours=request.update_hours if request.HasField("update_hours") else None,
        ),
    )


_READERS: dict[type, Callable[[Any], ListRequest]] = {
    pb.FindProductsRequest: finder_request,
    pb.SearchProductsRequest: product_search_request,
    pb.ListBestSellersRequest: best_sellers_request,
    pb.GetCategoriesRequest: categories_request,
    pb.SearchCategoriesRequest: category_search_request,
    pb.ListDealsRequest: requests_deals.deals_request,
    pb.GetSellersRequest: requests_sellers.sellers_request,
    pb.ListTopSellersRequest: requests_sellers.top_sellers_request,
    pb.FindSellersRequest: requests_sellers.seller_finder_request,
    pb.ListLightningDealsRequest: requests_deals.lightning_deals_request,
}


def list_request(request: Message) -> ListRequest:
    """Read any request for a list."""
    return _READERS[type(request)](request)
