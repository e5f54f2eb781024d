"""Answers about lists as messages."""

from collections.abc import Iterable, Sequence

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.rpc import times
from services.keepa_gateway.api import responses
from services.keepa_gateway.domain.answers import ListAnswer
from services.keepa_gateway.domain.bodies import decoded
from services.keepa_gateway.domain.lists import CategoriesBody, CategoryObject
from services.keepa_gateway.domain.markets import MARKETS
from services.keepa_gateway.domain.snapshot import Snapshot


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
        mean_review_count=responses.number(one.avg_review_count),
        mean_rating_tenths=responses.number(one.avg_rating),
        fulfilled_by_amazon_percent=responses.number(one.is_fba_percent),
        sold_by_amazon_percent=responses.number(one.sold_by_amazon_percent),
        coupon_percent=responses.number(one.has_coupon_percent),
        mean_new_offer_count=responses.number(one.avg_offer_count_new),
        mean_used_offer_count=responses.number(one.avg_offer_count_used),
        seller_count=_whole(one.seller_count),
        brand_count=_whole(one.brand_count),
        top_brands=one.top_brands or (),
        currency_code=MARKETS[one.domain_id].currency if known else "",
    )


def _whole(value: float | None) -> int | None:
    return None if value is None or value < 0 else round(value)
