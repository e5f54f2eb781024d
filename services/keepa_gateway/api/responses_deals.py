"""Answers about deals as messages."""

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.rpc import times
from services.keepa_gateway.api import responses
from services.keepa_gateway.domain.answers import ListAnswer
from services.keepa_gateway.domain.bodies import decoded
from services.keepa_gateway.domain.market_bodies import (
    DealObject,
    Deals,
    DealsBody,
    LightningDealObject,
)
from services.keepa_gateway.domain.market_requests import (
    DEALS_PER_PAGE,
    DealsRequest,
)
from services.keepa_gateway.domain.markets import MARKETS
from services.keepa_gateway.domain.product import present
from services.keepa_gateway.domain.series import name

_INTERVALS = 4
_LAST_CONDITION = 10
_STATES = {
    "AVAILABLE": pb.LIGHTNING_DEAL_STATE_AVAILABLE,
    "UPCOMING": pb.LIGHTNING_DEAL_STATE_UPCOMING,
    "WAITLIST": pb.LIGHTNING_DEAL_STATE_WAITLIST,
    "SOLDOUT": pb.LIGHTNING_DEAL_STATE_SOLD_OUT,
    "WAITLISTFULL": pb.LIGHTNING_DEAL_STATE_WAITLIST_FULL,
    "EXPIRED": pb.LIGHTNING_DEAL_STATE_EXPIRED,
    "SUPPRESSED": pb.LIGHTNING_DEAL_STATE_SUPPRESSED,
}


def deals_answer(answer: ListAnswer, wanted: DealsRequest) -> pb.ListDealsResponse:
    """Build the message of a page of deals."""
    page = decoded(answer.payload, DealsBody).deals or Deals()
    deals = page.dr or []
    return pb.ListDealsResponse(
        deals=[deal(one) for one in deals],
        more=len(deals) == DEALS_PER_PAGE,
        categories=_deal_categories(page) if wanted.page == 0 else (),
        token_count=answer.tokens,
        fetch_time=times.timestamp(answer.fetched_at),
        cached=answer.cached,
        currency_code=MARKETS[wanted.domain].currency,
    )


def _deal_categories(page: Deals) -> list[pb.DealCategory]:
    ids, names, counts = (
        page.category_ids or [],
        page.category_names or [],
        page.category_count or [],
    )
    rows = sorted(zip(ids, names, counts, strict=False), key=lambda row: (-row[2], row[0]))
    return [
        pb.DealCategory(category=pb.Category(id=id_, name=named), deal_count=count)
        for id_, named, count in rows
    ]


def deal(one: DealObject) -> pb.Deal:
    """Build the message of a deal."""
    back = one.back_in_stock or ()
    condition = one.warehouse_condition or 0
    return pb.Deal(
        asin=one.asin,
        title=one.title or "",
        root_category_id=max(one.root_cat or 0, 0),
        category_ids=one.categories or (),
        image_url=responses.IMAGES + bytes(one.image).decode("ascii", "replace")
        if one.image
        else "",
        series=[
            row for place in range(len(one.current or ())) if (row := _deal_series(one, place))
        ],
        create_time=responses.time(one.creation_date),
        update_time=responses.time(one.last_update),
        lightning_start_time=responses.time(one.lightning_start),
        lightning_end_time=responses.time(one.lightning_end),
        warehouse_condition=pb.OfferCondition.ValueType(
            condition if 0 <= condition <= _LAST_CONDITION else 0
        ),
        warehouse_comment=one.warehouse_condition_comment or "",
        sales_rank_drop_count_30d=present(one.sales_rank_drops30),
        sales_rank_drop_count_90d=present(one.sales_rank_drops90),
        sales_rank_drop_count_180d=present(one.sales_rank_drops180),
        sales_rank_drop_count_365d=present(one.sales_rank_drops365),
        back_in_stock_series=[name(place) for place, is_back in enumerate(back) if is_back],
    )


def _deal_series(one: DealObject, place: int) -> pb.DealSeries | None:
    """One series of a deal; nothing when it holds no value and did not change."""
    current = present(responses.at(one.current, place))
    changes = [
        change for interval in range(_INTERVALS) if (change := _change(one, interval, place))
    ]
    if current is None and not changes:
        return None
    return pb.DealSeries(
        name=name(place),
        current=current,
        current_start_time=responses.time(responses.at(one.current_since, place))
        if current is not None
        else None,
        last_change=responses.at(one.delta_last, place),
        changes=changes,
    )


def _change(one: DealObject, interval: int, place: int) -> pb.DealChange | None:
    average = present(responses.at(responses.at(one.avg, interval), place))
    if average is None:
        return None
    return pb.DealChange(
        interval=pb.DealInterval.ValueType(interval + 1),
        average=average,
        change=responses.at(responses.at(one.delta, interval), place),
        change_percent=responses.at(responses.at(one.delta_percent, interval), place),
    )


def lightning_deal(one: LightningDealObject) -> pb.LightningDeal:
    """Build the message of a lightning deal."""
    market = MARKETS.get(one.domain_id or 0)
    return pb.LightningDeal(
        id=one.deal_id or "",
        asin=one.asin or "",
        domain=pb.Domain.ValueType(market.domain if market else 0),
        title=one.title or "",
        seller_id=one.seller_id or "",
        deal_cents=present(one.deal_price),
        current_cents=present(one.current_price),
        image_url=responses.IMAGES + one.image if one.image else "",
        rating_tenths=present(one.rating),
        review_count=present(one.total_reviews),
        state=lightning_state(one),
        start_time=responses.time(one.start_time),
        end_time=responses.time(one.end_time),
        claimed_percent=present(one.percent_claimed),
        off_percent=present(one.percent_off),
        variation_attributes=[
            f"{each.get('dimension', '')}: {each.get('value', '')}" for each in one.variation or ()
        ],
        update_time=responses.time(one.last_update),
        currency_code=market.currency if market else "",
    )


def lightning_state(one: LightningDealObject) -> pb.LightningDealState.ValueType:
    """Where a deal stands; unspecified for a word that Keepa added since."""
    return _STATES.get(one.deal_state or "", pb.LIGHTNING_DEAL_STATE_UNSPECIFIED)
