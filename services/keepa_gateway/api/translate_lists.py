"""Between the contract's messages for lists and the domain's values."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.message import Message

from services.chassis.rpc import times
from services.keepa_gateway.api import fields
from services.keepa_gateway.api import translate_deals as deals
from services.keepa_gateway.api import translate_sellers as sellers
from services.keepa_gateway.domain.answers import ListAnswer
from services.keepa_gateway.domain.bodies import decoded
from services.keepa_gateway.domain.list_requests import (
    BestSellersRequest,
    CategoriesRequest,
    CategorySearchRequest,
    FinderRequest,
    ListRequest,
    ProductSearchRequest,
)
from services.keepa_gateway.domain.lists import CategoriesBody, CategoryObject
from services.keepa_gateway.domain.markets import MARKETS
from services.keepa_gateway.domain.products_request import ProductOptions
from services.keepa_gateway.domain.snapshot import Snapshot

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
    built = fields.plain(value.extra)
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
    for one in value.ranges:
        if one.HasField("minimum"):
            built[f"{one.field}_gte"] = one.minimum
        if one.HasField("maximum"):
            built[f"{one.field}_lte"] = one.maximum
    sorts = [[one.field, "desc" if one.descending else "asc"] for one in value.sorts]
    built["sort"] = sorts or [["current_SALES", "asc"]]
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


def finder_answer(answer: ListAnswer) -> pb.FindProductsResponse:
    """Build the message of a finder page."""
    found = answer.ids()
    return pb.FindProductsResponse(
        asins=found.ids,
        insights_json=found.insights,
        total_count=found.total,
        token_count=answer.tokens,
        fetch_time=times.timestamp(answer.fetched_at),
        cached=answer.cached,
    )


def product_search_answer(
    answer: ListAnswer, products: Iterable[Snapshot]
) -> pb.SearchProductsResponse:
    """Build the message of a product search; histories stay in the store."""
    built = pb.SearchProductsResponse(
        asins=answer.ids().ids,
        token_count=answer.tokens,
        fetch_time=times.timestamp(answer.fetched_at),
        cached=answer.cached,
    )
    for one in products:
        product = built.products.add()
        product.MergeFromString(one.product)
        product.ClearField("series")
    return built


def categories_answer(answer: ListAnswer, asked: Sequence[int]) -> pb.GetCategoriesResponse:
    """Build the message of categories, in the order asked for; roots by their ids."""
    body = decoded(answer.payload, CategoriesBody)
    there = {one.cat_id: one for one in (body.categories or {}).values()}
    order = sorted(there) if list(asked) == [0] else asked
    parents = sorted((body.category_parents or {}).values(), key=lambda one: one.cat_id)
    return pb.GetCategoriesResponse(
        categories=[category(there[each]) for each in order if each in there],
        parents=[category(one) for one in parents],
        missing_category_ids=[each for each in asked if each and each not in there],
        token_count=answer.tokens,
        fetch_time=times.timestamp(answer.fetched_at),
        cached=answer.cached,
    )


def category_search_answer(answer: ListAnswer) -> pb.SearchCategoriesResponse:
    """Build the message of a search for categories, most products first."""
    found = (decoded(answer.payload, CategoriesBody).categories or {}).values()
    order = sorted(found, key=lambda one: (-(one.product_count or 0), one.cat_id))
    return pb.SearchCategoriesResponse(
        categories=[category(one) for one in order],
        token_count=answer.tokens,
        fetch_time=times.timestamp(answer.fetched_at),
        cached=answer.cached,
    )


def category(one: CategoryObject) -> pb.CategoryDetail:
    """Build the message of a category; Keepa's -1 is nothing."""
    known = one.domain_id in MARKETS
    return pb.CategoryDetail(
        id=one.cat_id,
        domain=pb.Domain.ValueType(one.domain_id if known else 0),
        name=one.name or "",
        context_free_name=one.context_free_name or "",
        display_group=one.website_display_group or "",
        child_ids=one.children or (),
        parent_id=max(one.parent or 0, 0),
        best_rank=_whole(one.highest_rank),
        worst_rank=_whole(one.lowest_rank),
        product_count=_whole(one.product_count),
        browse_node=bool(one.is_browse_node),
        mean_buy_box_cents=_whole(one.avg_buy_box),
        mean_buy_box_90d_cents=_whole(one.avg_buy_box90),
        mean_buy_box_365d_cents=_whole(one.avg_buy_box365),
        buy_box_deviation_cents=_whole(one.avg_buy_box_deviation),
        mean_review_count=fields.number(one.avg_review_count),
        mean_rating_tenths=fields.number(one.avg_rating),
        fulfilled_by_amazon_percent=fields.number(one.is_fba_percent),
        sold_by_amazon_percent=fields.number(one.sold_by_amazon_percent),
        coupon_percent=fields.number(one.has_coupon_percent),
        mean_new_offer_count=fields.number(one.avg_offer_count_new),
        mean_used_offer_count=fields.number(one.avg_offer_count_used),
        seller_count=_whole(one.seller_count),
        brand_count=_whole(one.brand_count),
        top_brands=one.top_brands or (),
        currency_code=MARKETS[one.domain_id].currency if known else "",
    )


def _whole(value: float | None) -> int | None:
    return None if value is None or value < 0 else round(value)


_READERS: dict[type, Callable[[Any], ListRequest]] = {
    pb.FindProductsRequest: finder_request,
    pb.SearchProductsRequest: product_search_request,
    pb.ListBestSellersRequest: best_sellers_request,
    pb.GetCategoriesRequest: categories_request,
    pb.SearchCategoriesRequest: category_search_request,
    pb.ListDealsRequest: deals.deals_request,
    pb.GetSellersRequest: sellers.sellers_request,
    pb.ListTopSellersRequest: sellers.top_sellers_request,
    pb.FindSellersRequest: sellers.seller_finder_request,
    pb.ListLightningDealsRequest: deals.lightning_deals_request,
}


def list_request(request: Message) -> ListRequest:
    """Read any request for a list."""
    return _READERS[type(request)](request)
