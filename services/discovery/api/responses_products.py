"""Answers about one product as messages: its numbers, its stock, and whether it is what it was."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.chassis.rpc import times
from services.discovery.api import responses
from services.discovery.domain.product import SERIES_NAMES, Kind, Offer, ProductFacts
from services.discovery.domain.verification import Change, Verdict, View
from services.discovery.usecases.checking import Counted, Measured

VERDICTS = {
    Verdict.OK: pb.VERIFICATION_VERDICT_OK,
    Verdict.CHANGED: pb.VERIFICATION_VERDICT_CHANGED,
    Verdict.AVOID: pb.VERIFICATION_VERDICT_AVOID,
}


def metrics(measured: Measured, market: int) -> pb.ProductMetrics:
    """Write the numbers of a product; what is not known stays absent."""
    found = measured.metrics
    facts, score, fetched = found.facts, found.score, measured.glance.fetched
    statistics, demand = facts.statistics, score.demand
    now = statistics.current
    return pb.ProductMetrics(
        asin=facts.asin,
        domain=keepa.Domain.ValueType(market),
        title=facts.title,
        amazon_cents=now.get(Kind.AMAZON),
        new_cents=now.get(Kind.NEW),
        used_cents=now.get(Kind.USED),
        buy_box_cents=now.get(Kind.BUY_BOX_NEW),
        median_new_90d_cents=found.median_new,
        median_used_90d_cents=found.median_used,
        sales_rank=now.get(Kind.SALES_RANK),
        mean_sales_rank_30d=statistics.avg30.get(Kind.SALES_RANK),
        mean_sales_rank_90d=statistics.avg90.get(Kind.SALES_RANK),
        sales_rank_drop_count_30d=statistics.drops_30,
        sales_rank_drop_count_90d=statistics.drops_90,
        monthly_sales=None if demand is None else round(demand.monthly_sales, 2),
        velocity_score=None if demand is None else round(demand.velocity, 2),
        stability_score=None if score.stability is None else round(score.stability, 2),
        confidence_score=round(score.confidence, 2),
        new_offer_count=now.get(Kind.COUNT_NEW),
        used_offer_count=now.get(Kind.COUNT_USED),
        fba_offer_count=now.get(Kind.COUNT_NEW_FBA),
        amazon_out_of_stock_percent_90d=statistics.out_of_stock_90.get(Kind.AMAZON),
        amazon_present=score.inputs.figures.standing.amazon_selling,
        fetch_time=times.timestamp(fetched.fetched_at),
        currency_code=fetched.currency_code or responses.USD,
    )


def estimate(counted: Counted) -> pb.StockEstimate:
    """Write what is for sale near a price."""
    stock, glance = counted.stock, counted.glance
    return pb.StockEstimate(
        asin=glance.fetched.asin,
        target_cents=stock.target_cents,
        low_cents=stock.low_cents,
        high_cents=stock.high_cents,
        unit_count=stock.units,
        offer_count=stock.count,
        fba_offer_count=stock.fba,
        known_stock_count=stock.known,
        offers=[_offer(one) for one in stock.offers or ()],
        stale=glance.stale,
        fetch_time=times.timestamp(glance.fetched.fetched_at),
        currency_code=glance.fetched.currency_code or responses.USD,
    )


def baseline(view: View) -> pb.VerificationBaseline:
    """Write what a product was."""
    return pb.VerificationBaseline(
        sell_cents=view.sell_cents or 0,
        sales_rank=view.rank or 0,
        fba_offer_count=view.fba_offers,
        observe_time=times.timestamp(view.observed_at),
    )


def change(one: Change) -> pb.VerificationChange:
    """Write what has changed, and what that means."""
    return pb.VerificationChange(
        field=one.field,
        before=one.before,
        after=one.after,
        change_percent=one.percent,
        verdict=VERDICTS[one.verdict],
        message=one.message,
    )


def _offer(one: Offer) -> keepa.Offer:
    return keepa.Offer(
        id=one.id,
        seller_id=one.seller_id,
        condition=keepa.OfferCondition.ValueType(one.condition),
        price_cents=one.price_cents,
        shipping_cents=one.shipping_cents,
        last_seen_time=times.timestamp(one.seen_at),
        live=True,
        fulfilled_by_amazon=one.fba,
        sold_by_amazon=one.amazon,
        warehouse_deal=one.warehouse_deal,
        scam=one.scam,
        stock_count=one.stock,
    )


def series(facts: ProductFacts) -> list[keepa.Series]:
    """Write the histories that scoring reads, prices with their shipping."""
    return [
        keepa.Series(
            name=SERIES_NAMES[Kind(kind)],
            times=one.times,
            values=one.values,
        )
        for kind, one in sorted(facts.series.items())
    ]
