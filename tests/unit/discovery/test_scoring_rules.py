"""The rules of the model one by one: prices, gates, caps, flags, confidence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.discovery.domain.product import Kind, Offer, ProductFacts
from services.discovery.domain.scoring.caution import Flag
from services.discovery.domain.scoring.score import Score, replay, score
from services.discovery.domain.scoring.terms import Channel, Condition, Terms
from services.discovery.domain.scoring.verdict import Rating, Recommendation, Tier
from tests.unit.discovery.builders import (
    AS_OF,
    OFF_SEASON,
    figures,
    offer,
    product,
    series,
    statistics,
    steady,
    terms,
    used,
)


def codes(result: Score) -> list[str]:
    return [reason.code for reason in result.reasons]


def scored(facts: ProductFacts | None = None, own: Terms | None = None) -> Score:
    return score(facts or product(), own or terms(cost_cents=1200), AS_OF)


def sell_cents(result: Score) -> int:
    assert result.inputs.figures.sell is not None
    return result.inputs.figures.sell.cents


# --- the sell price -----------------------------------------------------------------------


def test_the_sell_price_is_the_median_by_time_not_by_points() -> None:
    """A price that held for an hour must not count like one that held for months."""
    history = series((90, 3000), (20, 9000), (19.9, 9100), (19.8, 3000), (1, 4200))
    facts = product(series={Kind.NEW: history}, statistics=statistics())

    assert sell_cents(scored(facts)) == 3000


def test_stretches_without_an_offer_do_not_count() -> None:
    """An absent price is no price of zero."""
    history = series((90, 5000), (60, -1), (10, 4000))
    facts = product(series={Kind.NEW: history}, statistics=statistics(current={}))

    result = scored(facts)

    assert result.inputs.figures.sell is not None
    assert result.inputs.figures.sell.usual_cents == 5000
    assert round(result.inputs.figures.sell.coverage, 2) == 0.44


def test_the_sell_price_is_never_above_the_current_price() -> None:
    """Yesterday's median pays nobody when the market has fallen."""
    facts = product(statistics=statistics(current={Kind.NEW: 2000, Kind.COUNT_NEW_FBA: 4}))

    result = scored(facts)

    assert sell_cents(result) == 2000
    assert result.inputs.figures.sell is not None
    assert result.inputs.figures.sell.basis == "CURRENT"


@pytest.mark.parametrize(
    ("own", "current", "ceiling"),
    [
        (terms(), {Kind.NEW: 4200, Kind.AMAZON: 3333}, 3000),
        (used(), {Kind.USED: 4200, Kind.NEW: 3000}, 2700),
    ],
)
def test_a_ceiling_keeps_the_sell_price_below_what_a_buyer_can_pay_elsewhere(
    own: Terms, current: dict[int, int], ceiling: int
) -> None:
    """Nobody pays a stranger more than nine tenths of Amazon's price, or of a new copy's."""
    facts = product(
        statistics=statistics(current=current, avg180={}, avg365={}),
        series={Kind.NEW: steady(4200), Kind.USED: steady(4200)},
    )

    assert sell_cents(scored(facts, own)) == ceiling


def test_a_better_series_is_preferred_and_never_mixed() -> None:
    """The buy box price is what sells; one window never joins two series."""
    facts = product(series={Kind.BUY_BOX_NEW: steady(3900), Kind.NEW: steady(4200)})

    result = scored(facts)

    assert result.inputs.figures.sell is not None
    assert result.inputs.figures.sell.series is Kind.BUY_BOX_NEW


def test_thin_histories_fall_back_to_the_average_and_then_to_nothing() -> None:
    """Below a fifth of the window a median would be an accident."""
    thin = {Kind.NEW: series((90, -1), (10, 4200))}
    with_average = product(series=thin, statistics=statistics(current={}, avg90={Kind.NEW: 3500}))
    without = product(series=thin, statistics=statistics(current={}, avg90={}))

    assert sell_cents(scored(with_average)) == 3500
    assert "INSUFFICIENT_DATA" in codes(scored(without))
    assert scored(without).calculation is None


def test_a_textbook_out_of_season_is_scored_by_its_off_season_price() -> None:
    """The August price is of no use to somebody who sells in May."""
    history = series((360, 4000), (287, 9000), (241, 4000), (146, 9000), (102, 4000))
    history = replace(history, times=[t - 123 * 86_400 for t in history.times])
    facts = product(as_of=OFF_SEASON, series={Kind.NEW: history}, statistics=statistics(current={}))

    result = score(facts, terms("textbooks_standard", cost_cents=900), OFF_SEASON)

    assert result.inputs.figures.sell is not None
    assert result.inputs.figures.sell.season_cents == (9000, 4000)
    assert result.inputs.figures.sell.cents == 4000


def test_a_price_far_above_the_usual_one_takes_confidence_away() -> None:
    """A spike is over before the copy arrives."""
    calm = scored()
    spiked = scored(product(statistics=statistics(current={Kind.NEW: 14_000})))

    assert Flag.PRICE_SPIKE in spiked.flags
    assert sell_cents(spiked) == 4200
    assert spiked.confidence < calm.confidence


def test_a_price_above_1500_dollars_is_an_outlier() -> None:
    """Such a listing is a parked price, not a market."""
    facts = product(series={Kind.NEW: steady(200_000)}, statistics=statistics(current={}))

    assert codes(scored(facts)) == ["PRICE_OUTLIER"]


def test_the_interval_holds_the_price_and_says_what_it_earns() -> None:
    """One number hides how unsure it is; the quartiles show it."""
    history = series((90, 3000), (60, 4000), (30, 6000))
    facts = product(series={Kind.NEW: history}, statistics=statistics(current={}))

    sums = scored(facts).calculation

    assert sums is not None
    assert sums.low is not None
    assert sums.high is not None
    assert (sums.low.sell, sums.sale.sell, sums.high.sell) == (3000, 4000, 6000)
    assert sums.low.profit < sums.outcome.profit < sums.high.profit


# --- the buying price ---------------------------------------------------------------------


def bought(facts: ProductFacts, own: Terms) -> tuple[str, int]:
    buy = score(facts, own, AS_OF).inputs.figures.buy
    assert buy is not None
    return buy.basis.value, buy.cents


def test_the_buying_price_comes_from_the_most_trustworthy_source() -> None:
    """Own cost, then a live offer, then eBay, then an invented fraction that says so."""
    ebay = statistics(current={Kind.NEW: 4200, Kind.EBAY_NEW: 900})
    rich = product(offers=(offer(800),), statistics=ebay, ebay_updated_at=AS_OF - timedelta(days=1))

    assert bought(rich, terms(cost_cents=500)) == ("USER", 500)
    assert bought(rich, terms()) == ("OFFER", 800)
    assert bought(replace(rich, offers=None), terms()) == ("EBAY_NEW", 900)
    assert bought(product(), terms()) == ("ASSUMED", 1680)


@pytest.mark.parametrize(
    "unusable",
    [
        offer(100, None),
        offer(100, condition=5),
        offer(100, seller_id="ME"),
        offer(100, scam=True),
        offer(100, seen_at=AS_OF - timedelta(days=8)),
    ],
    ids=["shipping unknown", "worse condition", "own offer", "scam", "not seen for 8 days"],
)
def test_an_offer_that_cannot_be_bought_is_no_price(unusable: Offer) -> None:
    """A price at which nobody can buy makes every return look good."""
    facts = product(offers=(unusable, offer(800, 99)))

    assert bought(facts, terms(own_sellers=frozenset({"ME"}))) == ("OFFER", 899)


def test_an_old_ebay_price_is_not_used() -> None:
    """Seven days on, the copy is gone."""
    stale = product(
        statistics=statistics(current={Kind.NEW: 4200, Kind.EBAY_NEW: 900}),
        ebay_updated_at=AS_OF - timedelta(days=8),
    )

    assert bought(stale, terms())[0] == "ASSUMED"


def test_the_lowest_used_price_is_used_only_for_a_flip() -> None:
    """Buying and selling at the same used price is no trade."""
    current = {Kind.USED: 700, Kind.NEW: 6000, Kind.BUY_BOX_USED: 2500}
    better = {Kind.BUY_BOX_USED: steady(2500), Kind.USED: steady(700)}
    flip = product(statistics=statistics(current=current), series=better)
    same = product(statistics=statistics(current=current), series={Kind.USED: steady(700)})

    assert bought(flip, used()) == ("USED_FBM", 700)
    assert bought(same, used())[0] == "ASSUMED"
    assert bought(flip, used(channel=Channel.FBM))[0] == "ASSUMED"


def test_an_assumed_price_decides_nothing() -> None:
    """The first product's 95 % ROI came from an invented price; never again."""
    result = scored(product(), terms())

    assert result.recommendation is Recommendation.CONSIDER
    assert result.flags[0] is Flag.BUY_AT_OR_BELOW
    assert result.confidence <= 54
    assert (result.tier, result.rating) == (Tier.OTHER, Rating.PASS)


def test_an_assumed_price_of_a_slow_or_thin_product_is_skipped() -> None:
    """Without a price only demand and room to buy can speak for it."""
    slow = statistics(drops_30=1, drops_90=3, drops_180=6)
    thin = product(series={Kind.NEW: steady(900)}, statistics=statistics(current={Kind.NEW: 900}))

    assert codes(scored(product(statistics=slow, series={Kind.NEW: steady(4200)}), terms())) == [
        "VELOCITY_BELOW_TARGET"
    ]
    assert codes(scored(thin, terms())) == ["MAX_BUY_TOO_LOW"]


# --- gates --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({"product_type": 4}, "NOT_STANDARD"),
        ({"adult": True}, "ADULT"),
        ({"hazardous": True}, "HAZARDOUS"),
        ({"redirect": True}, "REDIRECT"),
        ({"updated_at": AS_OF - timedelta(days=8)}, "STALE"),
        ({"updated_at": None}, "STALE"),
        ({"statistics": statistics(drops_90=0)}, "NO_SALES"),
        ({"statistics": statistics(avg90={Kind.NEW: 4200})}, "NO_RANK"),
        ({"statistics": statistics(avg90={Kind.SALES_RANK: 2_000_001})}, "RANK_TOO_LOW"),
        ({"size_mm": (600, 400, 300)}, "FEE_UNKNOWN"),
        ({"availability_amazon": 0, "statistics": statistics(out_of_stock_90={0: 49})},
         "AMAZON_SELLING"),
        ({"statistics": statistics(drops_30=1, drops_90=1, drops_180=1, current={
            Kind.NEW: 4200, Kind.COUNT_NEW_FBA: 30})}, "AGED_STOCK"),
    ],
)  # fmt: skip
def test_a_gate_skips_whatever_the_return(changes: dict[str, object], gate: str) -> None:
    """What cannot or must not be sold earns nothing, however good it looks."""
    result = scored(replace(product(), **changes))  # type: ignore[arg-type]

    assert result.recommendation is Recommendation.SKIP
    assert gate in codes(result)
    assert (result.tier, result.rating) == (Tier.OTHER, Rating.PASS)


def test_a_product_on_the_own_list_is_gated() -> None:
    """Amazon's permission decides, not the margin."""
    own = terms(cost_cents=1200, gated=frozenset({"0306406152"}))

    assert codes(scored(product(), own)) == ["GATED"]


def test_amazon_gates_new_copies_only_and_only_while_it_is_in_stock() -> None:
    """A used copy competes with used copies; Amazon half absent leaves room."""
    selling = product(availability_amazon=0, statistics=statistics(out_of_stock_90={0: 0}))
    absent = product(availability_amazon=0, statistics=statistics(out_of_stock_90={0: 50}))

    assert "AMAZON_SELLING" in codes(scored(selling))
    assert "AMAZON_SELLING" not in codes(scored(absent))
    second_hand = scored(selling, used(cost_cents=300))
    assert "AMAZON_SELLING" not in codes(second_hand)
    assert Flag.AMAZON_PRESENT in second_hand.flags


def test_all_failed_gates_are_named() -> None:
    """One reason at a time makes people fix one thing at a time."""
    assert codes(scored(product(adult=True, redirect=True))) == ["ADULT", "REDIRECT"]


# --- caps, flags, confidence --------------------------------------------------------------


def test_a_volatile_price_caps_the_verdict() -> None:
    """Thirty per cent in thirty days can eat the whole profit."""
    calm = ((90 - day, 4200 + day % 2) for day in range(60))
    history = series(*calm, (20, 6000), (12, 4200))
    result = scored(product(series={Kind.NEW: history, Kind.SALES_RANK: steady(95_000)}))

    assert Flag.PRICE_VOLATILE in result.flags
    assert result.recommendation is Recommendation.CONSIDER


def test_too_many_fba_offers_cap_the_verdict() -> None:
    """A race to the bottom has already begun."""
    crowd = statistics(current={Kind.NEW: 4200, Kind.COUNT_NEW_FBA: 6})

    result = scored(product(statistics=crowd))

    assert Flag.MANY_FBA_OFFERS in result.flags
    assert result.recommendation is Recommendation.CONSIDER
    assert "MANY_FBA_OFFERS" in codes(result)


def test_a_new_textbook_that_is_too_cheap_may_be_counterfeit() -> None:
    """Selling one fake costs the account."""
    own = terms("textbooks_standard")

    stranger = scored(product(offers=(offer(1500),)), own)
    warehouse = scored(product(offers=(offer(1500, warehouse_deal=True),)), own)

    assert Flag.COUNTERFEIT_RISK in stranger.flags
    assert stranger.recommendation is Recommendation.CONSIDER
    assert Flag.COUNTERFEIT_RISK not in warehouse.flags


def test_between_october_and_january_the_fees_are_flagged() -> None:
    """The peak card is not known; pretending it is would flatter every profit."""
    november = datetime(2026, 11, 20, tzinfo=UTC)
    own = terms(cost_cents=1200)

    peak = score(product(as_of=november), own, november)
    calm = scored(product(), own)

    assert Flag.PEAK_UNKNOWN in peak.flags
    assert peak.confidence == calm.confidence - 10


def test_days_before_the_first_card_are_flagged() -> None:
    """An old snapshot is scored with a card that did not hold then, and says so."""
    then = datetime(2025, 5, 16, tzinfo=UTC)

    assert Flag.FEE_CARD_ASSUMED in score(product(as_of=then), terms(), then).flags


def test_missing_weight_and_size_are_assumed_and_flagged() -> None:
    """A typical book is better than no answer, as long as it says so."""
    bare = replace(product(), weight_grams=None, size_mm=None)

    paperback = scored(bare)
    textbook = scored(bare, terms("textbooks_standard", cost_cents=1200))

    assert Flag.WEIGHT_ASSUMED in paperback.flags
    assert paperback.inputs.figures.parcel.ounces == 16
    assert textbook.inputs.figures.parcel.ounces == 24


def test_a_fee_that_keepa_contradicts_is_taken_at_its_larger_value() -> None:
    """When two sources disagree by more than 50 cents the careful one counts."""
    result = scored(replace(product(), pick_and_pack_cents=800))

    assert result.calculation is not None
    assert Flag.FEE_MISMATCH in result.flags
    assert result.calculation.sale.fulfilment == 828


def test_selling_by_oneself_costs_postage_and_nothing_of_amazon() -> None:
    """FBM has no fulfilment, placement, inbound or storage."""
    result = scored(own=terms(cost_cents=1200, channel=Channel.FBM, postage_cents=450))

    assert result.calculation is not None
    sale, cost = result.calculation.sale, result.calculation.cost
    assert (sale.fulfilment, sale.placement, sale.storage, cost.inbound) == (0, 0, 0, 0)
    assert sale.postage == 450


def test_sales_tax_and_source_shipping_are_part_of_the_cash() -> None:
    """Money that leaves the pocket counts, whatever it is called."""
    own = terms(cost_cents=1000, sales_tax_percent=Decimal("8.875"), source_shipping_cents=399)

    result = scored(own=own)

    assert result.calculation is not None
    cost = result.calculation.cost
    assert (cost.sales_tax, cost.source_shipping) == (89, 399)
    assert cost.cash == 1000 + 89 + 399 + cost.prep + cost.inbound


def test_storage_is_paid_month_by_month_at_the_rate_of_each_month() -> None:
    """A slow book sent in September pays the dear months as well."""
    slow = statistics(drops_30=1, drops_90=3, drops_180=6)
    result = scored(product(statistics=slow))

    assert result.calculation is not None
    assert result.calculation.months == 5
    cubic_feet = result.inputs.figures.parcel.cubic_feet
    expected = cubic_feet * (78 + 3 * 240 + 78)
    assert result.calculation.sale.storage == round(expected)


def test_competition_that_had_to_be_guessed_is_flagged() -> None:
    """Before 2026 Keepa counted all new offers, merchants included."""
    guess = statistics(current={Kind.NEW: 4200, Kind.COUNT_NEW: 7})
    result = scored(product(statistics=guess))

    assert Flag.COMPETITION_ASSUMED in result.flags
    assert result.inputs.figures.competitors == 7


def test_live_offers_near_the_price_are_the_exact_competition() -> None:
    """Who asks twice the price takes no sale away."""
    offers = (offer(4300), offer(4600), offer(4700), offer(2000, condition=4))

    assert scored(product(offers=offers)).inputs.figures.competitors == 2


def test_a_used_copy_shares_with_a_part_of_the_used_offers() -> None:
    """Three in ten used offers compete in condition and price."""
    assert scored(product(), used()).inputs.figures.competitors == 3


def test_confidence_falls_with_age_and_with_every_missing_part() -> None:
    """Old or thin data may still be scored, never with the same weight."""
    fresh = scored()
    older = scored(replace(product(), updated_at=AS_OF - timedelta(days=4)))
    thin = scored(replace(product(), size_mm=None))

    assert round(fresh.confidence) == 80
    assert round(fresh.confidence - older.confidence) == 15
    assert fresh.confidence - thin.confidence == 8


def test_monthly_sold_is_never_overruled_by_the_rank() -> None:
    """What Amazon shows beats what a formula guesses."""
    popular = statistics(avg90={Kind.NEW: 4200, Kind.SALES_RANK: 3_000})
    result = scored(replace(product(statistics=popular), monthly_sold=100))

    assert result.demand is not None
    assert (result.demand.source.value, result.demand.monthly_sales) == ("MONTHLY_SOLD", 100)


def test_drops_that_are_not_known_are_left_out_of_the_mean() -> None:
    """A missing window must not count as no sales."""
    part = statistics(drops_30=None, drops_90=60, drops_180=None)
    result = scored(product(statistics=part))

    assert result.demand is not None
    assert result.demand.monthly_sales == pytest.approx(20)


def test_a_rank_alone_gives_an_estimate_with_less_confidence() -> None:
    """Better an answer that says how weak it is than none."""
    bare = statistics(drops_30=None, drops_90=None, drops_180=None)
    result = scored(product(statistics=bare))

    assert Flag.RANK_ONLY in result.flags
    assert result.demand is not None
    assert result.demand.source.value == "RANK"


# --- verdict, tiers, order ----------------------------------------------------------------


def test_thresholds_are_compared_before_rounding() -> None:
    """29.998 % is shown as 30.00 % and is still below it."""
    rich = statistics(drops_30=40, drops_90=110, drops_180=210)
    results = [
        scored(product(statistics=rich), terms(cost_cents=price)) for price in range(500, 2000)
    ]
    for result in results:
        assert result.calculation is not None
        roi = result.calculation.outcome.roi_percent
        assert roi is not None
        if roi < 30:
            assert result.recommendation in {Recommendation.CONSIDER, Recommendation.SKIP}


def test_a_better_verdict_says_what_the_next_one_lacked() -> None:
    """The sentence a buyer needs is the one that names the missing dollar."""
    result = scored(own=terms("textbooks_standard", cost_cents=1200))

    assert codes(result) == ["THRESHOLDS_OF_BUY", "PROFIT_BELOW_TARGET"]
    assert "below $15.00 for STRONG_BUY" in result.reasons[1].message


def test_tiers_and_ratings_need_every_threshold() -> None:
    """One weak number keeps a product out of a class."""
    strong = scored(
        product(statistics=statistics(drops_30=45, drops_90=130, drops_180=250)),
        terms(cost_cents=300),
    )

    assert strong.recommendation is Recommendation.STRONG_BUY
    assert strong.tier is Tier.TOP
    assert strong.rating is Rating.EXCELLENT


def test_lists_put_real_returns_first_and_skipped_products_last() -> None:
    """A hypothetical return must not push a real one down the list."""
    real = scored(own=terms(cost_cents=1500))
    hypothetical = scored(own=terms())
    skipped = scored(product(adult=True))

    assert sorted([skipped, hypothetical, real], key=lambda one: one.order) == [
        real, hypothetical, skipped,
    ]  # fmt: skip


def test_scores_of_other_rules_are_not_replayed() -> None:
    """Answering with today's rules what yesterday's decided would be a forgery."""
    old = replace(scored().inputs, score_version="2020.1")

    with pytest.raises(ValueError, match=r"scored by 2020\.1"):
        replay(old)


def test_a_product_of_nothing_is_skipped_with_reasons() -> None:
    """Keepa's empty placeholder costs a token and must not cost a crash."""
    result = score(ProductFacts(asin="B000000000", product_type=4), terms(), AS_OF)

    assert result.recommendation is Recommendation.SKIP
    assert codes(result) == ["NOT_STANDARD", "STALE", "INSUFFICIENT_DATA", "NO_RANK"]
    assert result.composite is None


@pytest.mark.parametrize("condition", list(Condition))
def test_every_condition_can_be_scored(condition: Condition) -> None:
    """No grade may fall through a table."""
    result = scored(own=terms(condition=condition, cost_cents=300))

    assert result.calculation is not None
    assert figures().asin == result.asin
