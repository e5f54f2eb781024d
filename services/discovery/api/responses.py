"""Values of the domain as messages: scores, searches, and what several answers share."""

from datetime import datetime, timedelta
from decimal import Decimal

from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.chassis.rpc import times
from services.discovery.domain.answers import Appraisal, Tally, unscored
from services.discovery.domain.criteria import Filter
from services.discovery.domain.health import CacheHealth
from services.discovery.domain.past import Search
from services.discovery.domain.scoring.lines import Difference, Line
from services.discovery.domain.scoring.money import hundredths
from services.discovery.domain.scoring.profit import Outcome
from services.discovery.domain.scoring.score import Calculation, Score
from services.discovery.domain.stops import StopReason

USD = "USD"


def appraisal(one: Appraisal) -> pb.ProductScore:
    """Write one product, scored or not."""
    built = pb.ProductScore(
        name=f"scores/{one.id}" if one.id else "",
        asin=one.asin,
        title=one.title,
        product_status=keepa.ProductStatus.Value(f"PRODUCT_STATUS_{one.status}"),
        sales_rank=one.sales_rank,
        currency_code=one.currency_code or USD,
        image_url=one.image_url,
        token_count=one.tokens,
        fetch_time=times.timestamp(one.fetched_at),
        offers_fetched=one.offers,
        offers_failed=one.offers_failed,
    )
    if one.score is None:
        built.summary = unscored(one.status)
    else:
        _score(built, one.score)
    return built


def info(tally: Tally, seconds: float, now: datetime) -> pb.SearchInfo:
    """Write how an answer came about."""
    built = pb.SearchInfo(
        cache_hit=tally.cache_hit,
        token_count=tally.tokens,
        unsettled_token_count=tally.unsettled,
        duration=times.duration(timedelta(seconds=seconds)),
        stale=tally.stale,
        refreshing=tally.refreshing,
    )
    if tally.oldest is not None:
        built.age_duration.CopyFrom(times.duration(max(timedelta(0), now - tally.oldest)))
    if tally.stop is not None:
        built.stop_reason = _stop_reason(tally.stop.reason)
        built.stop_message = tally.stop.message
        if tally.stop.retry_after is not None:
            built.retry_delay.CopyFrom(times.duration(tally.stop.retry_after))
    return built


def filter_of(wanted: Filter) -> pb.DiscoveryFilter:
    """Write a filter as it was applied."""
    return pb.DiscoveryFilter(
        domain=keepa.Domain.ValueType(wanted.domain),
        category_ids=wanted.category_ids,
        rank_range=pb.RankRange(minimum=wanted.rank_least or 0, maximum=wanted.rank_most or 0),
        price_range=pb.PriceRange(
            minimum_cents=wanted.price_least or 0, maximum_cents=wanted.price_most or 0
        ),
        availability=pb.Availability.Value(f"AVAILABILITY_{wanted.availability}"),
        condition=pb.Condition.Value(f"CONDITION_{wanted.condition}"),
        title=wanted.title,
        max_results=wanted.max_results,
        source=pb.DiscoverySource.Value(f"DISCOVERY_SOURCE_{wanted.source}"),
    )


def strategy(name: str) -> pb.Strategy.ValueType:
    """Write a strategy."""
    return pb.Strategy.Value(f"STRATEGY_{name.upper()}")


def strategy_name(value: pb.Strategy.ValueType) -> str:
    """Write a strategy as people know it."""
    return pb.Strategy.Name(value).removeprefix("STRATEGY_").lower()


def search(one: Search) -> pb.Search:
    """Write a former search."""
    return pb.Search(
        name=f"searches/{one.id}",
        kind=pb.SearchKind.Value(f"SEARCH_KIND_{one.kind}"),
        source=pb.SearchSource.Value(f"SEARCH_SOURCE_{one.source}"),
        caller=one.caller,
        filter=None if one.filter is None else filter_of(one.filter),
        result_count=one.results,
        token_count=one.tokens,
        cache_hit=one.cache_hit,
        duration=times.duration(timedelta(seconds=one.seconds)),
        mean_roi_percent=one.mean_roi,
        create_time=times.timestamp(one.created_at),
        job=one.job,
        stop_reason=pb.STOP_REASON_UNSPECIFIED if one.stop is None else _stop_reason(one.stop),
    )


def cache_health(one: CacheHealth) -> pb.CacheHealth:
    """Write how well a cache serves."""
    return pb.CacheHealth(
        cache=one.cache,
        entry_count=one.entries,
        expired_count=one.expired,
        hit_count=one.hits,
        mean_hit_count=one.mean_hits,
        size_bytes=one.size_bytes,
        rating=one.rating,
        hit_percent=one.hit_percent,
        alert=one.alert,
    )


def inputs(one: Score) -> dict[str, str]:
    """Name everything that went into a score, as text."""
    figures, terms, signals = one.inputs.figures, one.inputs.terms, one.inputs.figures.signals
    standing = figures.standing
    named = {
        "strategy": terms.strategy.name,
        "condition": terms.condition,
        "channel": terms.channel,
        "target_roi_percent": terms.target_percent,
        "sales_tax_percent": terms.sales_tax_percent,
        "ounces": figures.parcel.ounces,
        "inches": " x ".join(str(side) for side in figures.parcel.inches),
        "referral_percent": figures.referral_percent,
        "closing_cents": figures.closing_cents,
        "pick_and_pack_cents": figures.pick_and_pack_cents,
        "monthly_sold": signals.monthly_sold,
        "rank_drops_30": signals.drops_30,
        "rank_drops_90": signals.drops_90,
        "rank_drops_180": signals.drops_180,
        "rank_average_90": signals.rank,
        "weeks_with_sales_share": signals.consistency,
        "competitors": figures.competitors,
        "fba_offers": standing.fba_offers,
        "amazon_selling": standing.amazon_selling,
        "amazon_absent_percent_90": standing.amazon_absent_90,
        "data_age_hours": standing.age_hours,
        "evidence": figures.evidence,
        "document": one.inputs.encode().decode(),
    }
    return {name: str(value) for name, value in named.items() if value is not None}


def score_line(one: Line) -> pb.ScoreLine:
    """Write one line of a calculation."""
    return pb.ScoreLine(key=one.key, label=one.label, value=one.value, formula=one.formula)


def score_difference(one: Difference) -> pb.ScoreDifference:
    """Write one line that is not the same in two scores."""
    return pb.ScoreDifference(
        key=one.key, label=one.label, before=one.before, after=one.after, input=one.input
    )


def _score(built: pb.ProductScore, score: Score) -> None:
    figures = score.inputs.figures
    built.recommendation = pb.Recommendation.Value(f"RECOMMENDATION_{score.recommendation}")
    built.summary = score.reasons[0].message
    built.reasons.extend(pb.Reason(code=r.code, message=r.message) for r in score.reasons)
    built.flags.extend(score.flags)
    built.confidence_score = round(score.confidence, 2)
    built.tier = pb.Tier.Value(f"TIER_{score.tier}")
    built.rating = pb.Rating.Value(f"RATING_{score.rating}")
    built.score_version = score.inputs.score_version
    built.config_revision = score.inputs.terms.rules.revision
    built.fee_card = score.inputs.fee_card
    built.inputs_hash = score.inputs_hash
    built.as_of_time.FromDatetime(score.inputs.as_of)
    if figures.sell is not None:
        built.sell_cents = figures.sell.cents
    if figures.buy is not None:
        built.buy_cents = figures.buy.cents
        built.buy_basis = pb.BuyBasis.Value(f"BUY_BASIS_{figures.buy.basis}")
    if score.stability is not None:
        built.stability_score = round(score.stability, 2)
    if score.composite is not None:
        built.composite_score = round(score.composite, 2)
    if score.demand is not None:
        built.velocity_score = round(score.demand.velocity, 2)
        built.monthly_sales = round(score.demand.monthly_sales, 2)
        built.days_to_sell = round(score.demand.days_to_sell, 1)
    if score.calculation is not None:
        _calculation(built, score.calculation)


def _calculation(built: pb.ProductScore, sums: Calculation) -> None:
    outcome = sums.outcome
    built.max_buy_cents = sums.max_buy_cents
    built.profit_cents = outcome.profit
    if outcome.roi_percent is not None:
        built.roi_percent = _percent(outcome.roi_percent)
    if outcome.margin_percent is not None:
        built.margin_percent = _percent(outcome.margin_percent)
    built.fees.CopyFrom(_fees(sums))
    if sums.low is not None and sums.high is not None:
        built.interval.CopyFrom(_interval(sums.low, sums.high))


def _fees(sums: Calculation) -> pb.FeeBreakdown:
    sale, cost, shipment = sums.sale, sums.cost, sums.shipment
    return pb.FeeBreakdown(
        referral_cents=sale.referral,
        closing_cents=sale.closing,
        fulfilment_cents=sale.fulfilment,
        placement_cents=sale.placement,
        storage_cents=sale.storage,
        returns_cents=sale.returns,
        buffer_cents=sale.buffer,
        net_cents=sale.net,
        inbound_cents=cost.inbound,
        prep_cents=cost.prep,
        tax_cents=cost.sales_tax,
        source_shipping_cents=cost.source_shipping,
        cash_cost_cents=cost.cash,
        fulfilment_card_cents=sale.fulfilment_card,
        size_tier="" if shipment is None else f"{shipment.tier.name}_STANDARD",
        billed_weight_centiounces=(
            0 if shipment is None else int(hundredths(shipment.bill_ounces) * 100)
        ),
        break_even_sell_cents=sums.break_even_cents,
    )


def _interval(low: Outcome, high: Outcome) -> pb.ScoreInterval:
    return pb.ScoreInterval(
        low_sell_cents=low.sell,
        high_sell_cents=high.sell,
        low_profit_cents=low.profit,
        high_profit_cents=high.profit,
        low_roi_percent=_percent(low.roi_percent or Decimal(0)),
        high_roi_percent=_percent(high.roi_percent or Decimal(0)),
    )


def _percent(value: Decimal) -> float:
    return float(hundredths(value))


def _stop_reason(reason: StopReason) -> pb.StopReason.ValueType:
    return pb.StopReason.Value(f"STOP_REASON_{reason}")
