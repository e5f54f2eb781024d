"""Answers about sellers as messages."""

from collections.abc import Sequence

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.rpc import times
from services.keepa_gateway.api import responses
from services.keepa_gateway.domain.answers import ListAnswer
from services.keepa_gateway.domain.bodies import decoded
from services.keepa_gateway.domain.market_bodies import SellerObject, SellersBody, SellerStatistics
from services.keepa_gateway.domain.markets import MARKETS
from services.keepa_gateway.domain.product import present
from services.keepa_gateway.domain.series import seconds

MOST_STOREFRONT = 100_000


def sellers_answer(answer: ListAnswer, asked: Sequence[str]) -> pb.GetSellersResponse:
    """Build the message of sellers, in the order asked for."""
    there = decoded(answer.payload, SellersBody).sellers or {}
    return pb.GetSellersResponse(
        sellers=[seller(there[each], each) for each in asked if each in there],
        missing_seller_ids=[each for each in asked if each not in there],
        token_count=answer.tokens,
        fetch_time=times.timestamp(answer.fetched_at),
        cached=answer.cached,
    )


def seller(one: SellerObject, id_: str) -> pb.Seller:
    """Build the message of a seller."""
    known = one.domain_id in MARKETS
    storefront = (one.asin_list or [])[:MOST_STOREFRONT]
    seen = (one.asin_list_last_seen or [])[: len(storefront)]
    counted = one.total_storefront_asins or ()
    return pb.Seller(
        id=one.seller_id or id_,
        domain=pb.Domain.ValueType(one.domain_id or 0 if known else 0),
        display_name=one.seller_name or "",
        tracking_start_time=responses.time(one.tracked_since),
        update_time=responses.time(one.last_update),
        rating_percent=present(one.current_rating),
        rating_count=present(one.current_rating_count),
        rating_count_30d=present(one.ratings_last30_days),
        series=_seller_series(one),
        fulfilled_by_amazon=bool(one.has_fba),
        ships_from_china=bool(one.ships_from_china),
        scam=bool(one.is_scammer),
        storefront_count=present(counted[-1]) if counted else None,
        storefront_asins=storefront,
        storefront_seen_times=[seconds(minute) for minute in seen],
        categories=[_seller_category(each) for each in one.seller_category_statistics or ()],
        brands=[_seller_brand(each) for each in one.seller_brand_statistics or ()],
        competitors=[
            pb.SellerCompetitor(seller_id=each.seller_id or "", shared_percent=each.percent or 0)
            for each in one.competitors or ()
        ],
        mean_buy_box_competitor_count=responses.number(one.avg_buy_box_competitors),
        buy_box_new_percent=responses.number(one.buy_box_new_ownership_rate),
        buy_box_used_percent=responses.number(one.buy_box_used_ownership_rate),
    )


def _seller_series(one: SellerObject) -> list[pb.Series]:
    names = ("RATING", "RATING_COUNT")
    return [
        pb.Series(name=named, times=[seconds(t) for t in flat[::2]], values=flat[1::2])
        for named, flat in zip(names, one.csv or (), strict=False)
        if flat
    ]


def _seller_category(one: SellerStatistics) -> pb.SellerCategory:
    return pb.SellerCategory(
        category_id=one.cat_id or 0,
        product_count=max(one.product_count or 0, 0),
        mean_sales_rank_30d=present(one.avg30_sales_rank),
        amazon_offer_count=max(one.product_count_with_amazon_offer or 0, 0),
    )


def _seller_brand(one: SellerStatistics) -> pb.SellerBrand:
    return pb.SellerBrand(
        brand=one.brand or "",
        product_count=max(one.product_count or 0, 0),
        mean_sales_rank_30d=present(one.avg30_sales_rank),
        amazon_offer_count=max(one.product_count_with_amazon_offer or 0, 0),
    )
