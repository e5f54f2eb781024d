"""The calculation line by line: every value follows from those above it, as in a spreadsheet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from services.discovery.domain.scoring.caution import ASSUMED_CONFIDENCE, CAPS, PENALTIES
from services.discovery.domain.scoring.demand import DROP_WEIGHTS, MERGING_RANK, Demand
from services.discovery.domain.scoring.figures import POINTS_FOR_CERTAINTY, Figures
from services.discovery.domain.scoring.gates import Gate
from services.discovery.domain.scoring.score import Calculation, Score
from services.discovery.domain.scoring.selling import SellPrice
from services.discovery.domain.scoring.verdict import LADDER, Recommendation

Value = int | float | Decimal | bool | str | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        key: Its stable name, by which formulas of later lines mean it.
        label: What it is, for people.
        value: As text: exact, so that the next lines can be worked out from it.
        formula: How it follows from the lines above; empty of what went in.
    """

    key: str
    label: str
    value: str
    formula: str = ""


def lines(score: Score) -> tuple[Line, ...]:
    """Write down a whole score; what is not known has no line."""
    figures, sums = score.inputs.figures, score.calculation
    written = [*_sell(figures.sell), *_demand(figures, score.demand)]
    if sums is not None:
        written += [*_fees(score, sums), *_cost(score, sums), *_result(score, sums)]
    written += [*_confidence(score), *_indices(score), *_verdict(score)]
    return tuple(written)


def _line(key: str, label: str, value: Value, formula: str = "") -> Line:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Line(key, label, text, formula)


def _known(*candidates: tuple[str, str, Value]) -> Iterator[Line]:
    """Write those inputs that are known."""
    for key, label, value in candidates:
        if value is not None:
            yield _line(key, label, value)


def _sell(sell: SellPrice | None) -> Iterator[Line]:
    if sell is None:
        return
    bounds = (
        ("usual_cents", "Usual price: the median over time, else the 90 day average",
         sell.usual_cents or None),
        ("current_cents", "Current price", sell.current_cents or None),
        ("ceiling_cents", "Nine tenths of what a buyer could pay elsewhere",
         sell.ceiling_cents or None),
    )  # fmt: skip
    yield _line("price_series", "History that the price is taken from", sell.series.name)
    yield from _known(*bounds)
    present = ", ".join(key for key, _, value in bounds if value is not None)
    yield _line("sell_cents", "Sell price", sell.cents, f"least({present})")
    yield from _known(
        ("low_sell_cents", "Price below which it was a quarter of the time", sell.low_cents),
        ("high_sell_cents", "Price above which it was a quarter of the time", sell.high_cents),
    )


def _demand(figures: Figures, demand: Demand | None) -> Iterator[Line]:
    signals = figures.signals
    yield from _known(
        ("monthly_sold", "Units a month that Amazon shows", signals.monthly_sold),
        ("rank_drops_30", "Sales rank drops in 30 days", signals.drops_30),
        ("rank_drops_90", "Sales rank drops in 90 days", signals.drops_90),
        ("rank_drops_180", "Sales rank drops in 180 days", signals.drops_180),
        ("rank_average_90", "Mean sales rank of 90 days", signals.rank),
        ("weeks_share", "Part of the last 13 weeks with a sale", signals.consistency),
    )
    yield _line("competitors", "Other sellers to share the sales with", figures.competitors)
    if demand is None:
        return
    yield _line("monthly_sales", "Units sold a month", demand.monthly_sales, _sales(figures))
    yield _line("sales_share", "Our share of them", demand.share, "1 / (competitors + 1)")
    days = "least(365, 30 / (monthly_sales * sales_share))" if demand.monthly_sales else "365"
    yield _line("days_to_sell", "Days until one of ours is sold", demand.days_to_sell, days)
    formula = "least(100, 100 * ln(1 + monthly_sales) / ln(61))"
    yield _line("demand_score", "Demand", demand.score, formula)
    usual = "rank_drops_90 / 3"
    trend = "0"
    if signals.drops_30 is not None and signals.drops_90 is not None:
        moved = f"(rank_drops_30 - {usual}) / greatest({usual}, 1)"
        trend = f"greatest(-0.5, least(0.5, {moved}))"
    yield _line("trend", "Last month against the last three", demand.trend, trend)
    velocity = "0.75 * demand_score + 15 * weeks_share + 10 * (0.5 + trend)"
    if demand.consistency is None:
        velocity = "0.882 * demand_score + 11.8 * (0.5 + trend)"
    bounded = f"greatest(0, least(100, {velocity}))"
    yield _line("velocity_score", "Velocity", demand.velocity, bounded)


def _sales(figures: Figures) -> str:
    """Say what the monthly sales were worked out from."""
    signals = figures.signals
    if signals.monthly_sold is not None:
        return "least(300, monthly_sold)"
    windows = zip(
        DROP_WEIGHTS,
        (("rank_drops_30", signals.drops_30), ("rank_drops_90", signals.drops_90),
         ("rank_drops_180", signals.drops_180)),
        strict=True,
    )  # fmt: skip
    parts = [
        (str(weight), f"{weight} * {name} / {months}")
        for (weight, months), (name, drops) in windows
        if drops is not None
    ]
    rank = "30.9 * power(125000 / rank_average_90, 1.27)"
    if not parts:
        return f"least(300, {rank})"
    drops = f"({' + '.join(part for _, part in parts)}) / ({' + '.join(w for w, _ in parts)})"
    if signals.rank is not None and signals.rank < MERGING_RANK:
        return f"least(300, greatest({drops}, {rank}))"
    return f"least(300, {drops})"


def _fees(score: Score, sums: Calculation) -> Iterator[Line]:
    inputs, sale = score.inputs, sums.sale
    card, own = inputs.card, inputs.figures.referral_percent
    percent = card.referral_percent if own is None else own
    yield _line("fee_card", "Fee card", inputs.fee_card)
    yield _line("referral_percent", "Amazon's share of the price in percent", percent)
    formula = "half_up(sell_cents * referral_percent / 100)"
    yield _line("referral_cents", "Referral fee", sale.referral, formula)
    yield _line("closing_cents", "Closing fee", sale.closing)
    if sums.shipment is None:
        yield _line("postage_cents", "Postage", sale.postage)
        shipping = "- postage_cents"
    else:
        yield from _amazon_ships(score, sums)
        shipping = "- fulfilment_cents - placement_cents - storage_cents"
    yield _line("returns_percent", "Reserve for returns in percent", card.returns_percent)
    formula = "half_up(sell_cents * returns_percent / 100)"
    yield _line("returns_cents", "Reserve for returns", sale.returns, formula)
    buffer = inputs.terms.strategy.buffer_percent
    yield _line("buffer_percent", "Safety buffer in percent", buffer)
    formula = "half_up(sell_cents * buffer_percent / 100)"
    yield _line("buffer_cents", "Safety buffer", sale.buffer, formula)
    formula = f"sell_cents - referral_cents - closing_cents {shipping}"
    yield _line(
        "net_cents", "What a sale leaves", sale.net, f"{formula} - returns_cents - buffer_cents"
    )


def _amazon_ships(score: Score, sums: Calculation) -> Iterator[Line]:
    inputs, sale, shipment = score.inputs, sums.sale, sums.shipment
    figures, day, card = inputs.figures, inputs.as_of.date(), inputs.card
    assert shipment is not None
    where = (
        f"{shipment.tier.name}, {shipment.bill_ounces:.2f} oz, price band {card.band(sale.sell)}"
    )
    yield _line("fulfilment_card_cents", f"Fulfilment by the card: {where}", sale.fulfilment_card)
    base = "fulfilment_card_cents"
    if figures.pick_and_pack_cents is not None:
        yield _line("pick_and_pack_cents", "Fulfilment as Keepa says", figures.pick_and_pack_cents)
        if sale.mismatch:
            base = "greatest(fulfilment_card_cents, pick_and_pack_cents)"
    yield _line("fuel_factor", "Surcharge, as a factor", card.fuel_factor(day))
    fulfilment = f"half_up({base} * fuel_factor)"
    yield _line("fulfilment_cents", "Fulfilment", sale.fulfilment, fulfilment)
    yield _line("placement_cents", "Inbound placement", sale.placement)
    names = ("length_inches", "width_inches", "height_inches")
    for name, side in zip(names, figures.parcel.inches, strict=True):
        yield _line(name, f"{name.removesuffix('_inches').capitalize()} in inches", side)
    days = "365" if score.demand is None else "days_to_sell"
    stored = f"greatest(1, ceil({days} / 30))"
    yield _line("months_stored", "Months of storage", sums.months, stored)
    rate = card.storage_rate(day, sums.months)
    label = f"Storage of a cubic foot for these months from {day:%B} on, in cents"
    yield _line("storage_rate_cents", label, rate)
    volume = " * ".join(names)
    formula = f"half_up({volume} / 1728 * storage_rate_cents)"
    yield _line("storage_cents", "Storage", sale.storage, formula)


def _cost(score: Score, sums: Calculation) -> Iterator[Line]:
    inputs, cost = score.inputs, sums.cost
    terms, figures = inputs.terms, inputs.figures
    assert figures.buy is not None
    yield _line("buy_basis", "Where the buying price comes from", figures.buy.basis)
    formula = ""
    if score.assumed:
        yield _line("assumed_percent", "Assumed share of the price", terms.rules.assumed_percent)
        formula = "half_up(sell_cents * assumed_percent / 100)"
    yield _line("buy_cents", "Buying price", cost.buy, formula)
    yield _line("source_shipping_cents", "Shipping to us", cost.source_shipping)
    yield _line("sales_tax_percent", "Sales tax in percent", terms.sales_tax_percent)
    formula = "half_up(buy_cents * sales_tax_percent / 100)"
    yield _line("tax_cents", "Sales tax", cost.sales_tax, formula)
    yield _line("prep_cents", "Preparation", cost.prep)
    if sums.shipment is None:
        yield _line("inbound_cents", "Freight to Amazon", cost.inbound)
    else:
        yield _line("ounces", "Weight in ounces", figures.parcel.ounces)
        yield _line("pound_cents", "Freight of a pound", terms.inbound_cents_per_pound)
        formula = "half_up(ounces / 16 * pound_cents)"
        yield _line("inbound_cents", "Freight to Amazon", cost.inbound, formula)
    formula = "buy_cents + source_shipping_cents + tax_cents + prep_cents + inbound_cents"
    yield _line("cash_cost_cents", "Cash put in", cost.cash, formula)


def _result(score: Score, sums: Calculation) -> Iterator[Line]:
    outcome, terms = sums.outcome, score.inputs.terms
    yield _line("profit_cents", "Profit", outcome.profit, "net_cents - cash_cost_cents")
    if outcome.roi_percent is not None:
        label = "Hypothetical ROI in percent" if score.assumed else "ROI in percent"
        formula = "100 * profit_cents / cash_cost_cents"
        yield _line("roi_percent", label, outcome.roi_percent, formula)
    if outcome.margin_percent is not None:
        formula = "100 * profit_cents / sell_cents"
        yield _line("margin_percent", "Margin in percent", outcome.margin_percent, formula)
    yield _line("target_percent", "ROI to reach in percent", terms.target_percent)
    room = (
        "floor(100 * net_cents / (100 + target_percent)) - prep_cents - inbound_cents"
        " - source_shipping_cents"
    )
    formula = f"before_tax({room}, sales_tax_percent)"
    yield _line("max_buy_cents", "The most to pay", sums.max_buy_cents, formula)


def _confidence(score: Score) -> Iterator[Line]:
    figures = score.inputs.figures
    yield from _evidence(figures)
    penalties = [(flag, PENALTIES[flag]) for flag in score.flags if flag in PENALTIES]
    for flag, penalty in penalties:
        yield _line(f"penalty_{flag.lower()}", f"Taken off for {flag}", penalty)
    taken = "".join(f" - penalty_{flag.lower()}" for flag, _ in penalties)
    most = f"{ASSUMED_CONFIDENCE:.0f}" if score.assumed else "100"
    formula = f"greatest(0, least({most}, evidence{taken}))"
    yield _line("confidence_score", "Confidence", score.confidence, formula)


def _evidence(figures: Figures) -> Iterator[Line]:
    """Take the evidence apart where it is made of whole parts."""
    age, points = figures.standing.age_hours, 0 if figures.sell is None else figures.sell.points
    fresh = 0.0 if age is None else 30 * max(0.0, min(1.0, 1 - (age - 24) / 144))
    dense = 30 * min(1.0, points / POINTS_FOR_CERTAINTY)
    facts = (figures.evidence - fresh - dense) / 8
    if abs(facts - round(facts)) > 1e-9 or not 0 <= round(facts) <= 5:
        yield _line("evidence", "Evidence", figures.evidence)
        return
    yield from _known(("data_age_hours", "Age of Keepa's data in hours", age))
    yield _line("price_points", "Prices recorded in the window", points)
    label = "Known of price history, rank history, drops, competition and parcel"
    yield _line("known_facts", label, round(facts))
    freshness = "30 * greatest(0, least(1, 1 - (data_age_hours - 24) / 144)) + "
    rest = f"8 * known_facts + 30 * least(1, price_points / {POINTS_FOR_CERTAINTY})"
    formula = rest if age is None else freshness + rest
    yield _line("evidence", "Evidence", figures.evidence, formula)


def _indices(score: Score) -> Iterator[Line]:
    sell = score.inputs.figures.sell
    if score.stability is not None and sell is not None:
        yield _line("price_variation", "Variation of the price", sell.variation)
        formula = "100 * (1 - least(1, price_variation / 0.5))"
        yield _line("stability_score", "Stability", score.stability, formula)
    if score.composite is not None:
        formula = "0.6 * greatest(0, least(100, roi_percent)) + 0.4 * velocity_score"
        yield _line("composite_score", "Place in lists", score.composite, formula)


def _verdict(score: Score) -> Iterator[Line]:
    failed = [reason.code for reason in score.reasons if reason.code in set(Gate)]
    caps = [flag for flag in score.flags if flag in CAPS]
    yield _line("gates_failed", f"Gates not passed: {_listed(failed)}", len(failed))
    yield _line("caps", f"What caps it at CONSIDER: {_listed(caps)}", len(caps))
    met: list[tuple[Recommendation, str]] = []
    if score.composite is not None:
        for level, recommendation in enumerate(LADDER):
            formula, holds = _rung(score, level, failed=bool(failed), capped=bool(caps))
            if formula:
                key = f"meets_{recommendation.lower()}"
                yield _line(key, f"Earns {recommendation}", holds, formula)
                met.append((recommendation, key))
    choice = "".join(f"'{recommendation}' if {key} else " for recommendation, key in met)
    yield _line("recommendation", "What to do", score.recommendation, f"{choice}'SKIP'")


def _rung(score: Score, level: int, *, failed: bool, capped: bool) -> tuple[str, bool]:
    """Write what one rung asks for, and whether it is met; nothing where it cannot be."""
    terms, sums, demand = score.inputs.terms, score.calculation, score.demand
    assert sums is not None
    assert demand is not None
    assert sums.outcome.roi_percent is not None
    strategy, rules, last = terms.strategy, terms.rules, len(LADDER) - 1
    asked: list[tuple[str, bool]] = [("gates_failed == 0", not failed)]
    fast = f"velocity_score >= {strategy.velocities[level]}"
    asked.append((fast, demand.velocity >= strategy.velocities[level]))
    if score.assumed:
        if level < last:
            return "", False
        enough = 4 * sums.max_buy_cents >= sums.sale.sell
        return _all([*asked, ("4 * max_buy_cents >= sell_cents", enough)])
    roi, profit = rules.rois[level], strategy.profits_cents[level]
    sure = rules.confidences[level]
    asked += [
        (f"roi_percent >= {roi}", sums.outcome.roi_percent >= roi),
        (f"profit_cents >= {profit}", sums.outcome.profit >= profit),
        (f"confidence_score >= {sure:g}", score.confidence >= sure),
    ]
    if level < last:
        soon = demand.days_to_sell <= strategy.days
        asked += [("caps == 0", not capped), (f"days_to_sell <= {strategy.days}", soon)]
    return _all(asked)


def _all(asked: Iterable[tuple[str, bool]]) -> tuple[str, bool]:
    conditions = tuple(asked)
    return " and ".join(text for text, _ in conditions), all(met for _, met in conditions)


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(codes) or "none"


@dataclass(frozen=True, slots=True)
class Difference:
    """One line that is not the same in two scores; empty where one has no such line.

    Attributes:
        input: It went in; the others follow from what went in.
    """

    key: str
    label: str
    before: str
    after: str
    input: bool


def differences(before: Iterable[Line], after: Iterable[Line]) -> tuple[Difference, ...]:
    """Say line by line why a score changed, in the order of the calculation."""
    old, new = {line.key: line for line in before}, {line.key: line for line in after}
    keys = [*new, *(key for key in old if key not in new)]
    return tuple(_difference(old.get(key), new.get(key)) for key in keys if _differs(key, old, new))


def _differs(key: str, old: dict[str, Line], new: dict[str, Line]) -> bool:
    return key not in old or key not in new or old[key].value != new[key].value


def _difference(old: Line | None, new: Line | None) -> Difference:
    line = new or old
    assert line is not None
    return Difference(
        key=line.key,
        label=line.label,
        before="" if old is None else old.value,
        after="" if new is None else new.value,
        input=not line.formula,
    )
