"""The calculation in words: every line in the order in which a person redoes it by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from services.discovery.domain.scoring.buying import BuyBasis, BuyPrice
from services.discovery.domain.scoring.demand import Demand
from services.discovery.domain.scoring.money import dollars, hundredths
from services.discovery.domain.scoring.profit import Cost
from services.discovery.domain.scoring.score import Calculation, Score
from services.discovery.domain.scoring.selling import SellPrice
from services.discovery.domain.scoring.terms import Channel

OTHER_BASES = {
    BuyBasis.USER: "your own price",
    BuyBasis.EBAY_USED: "eBay's price of a used copy within the last 7 days",
    BuyBasis.EBAY_NEW: "eBay's price of a new copy within the last 7 days",
    BuyBasis.USED_FBM: "the lowest price of a used copy",
}
"""Where a buying price comes from that is neither an offer's nor assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a product was looked at before it was scored.

    Attributes:
        offers: Its live offers were read.
        failed: They were asked for, and could not be read.
        fetched_at: When Keepa answered; None when that is not known.
    """

    offers: bool
    failed: bool = False
    fetched_at: datetime | None = None


def steps(score: Score, look: Look | None = None) -> tuple[str, ...]:
    """Write down the whole calculation of a score, with how old and how sure its data was."""
    figures, sums = score.inputs.figures, score.calculation
    lines = [_age(score, look)]
    if figures.sell is not None:
        lines.extend(_sell(figures.sell))
    if score.demand is not None:
        lines.extend(_demand(score, score.demand, look))
    if sums is not None and figures.buy is not None:
        lines.extend(_fees(score, sums))
        lines.extend(_offers(look, figures.buy))
        lines.extend(_cost(score, sums.cost, figures.buy))
        lines.extend(_result(score, sums))
    lines.append(f"Confidence {score.confidence:.1f} of 100, from {figures.evidence:.1f} evidence.")
    lines.append(f"{score.recommendation}: {score.reasons[0].message}")
    return tuple(lines)


def _age(score: Score, look: Look | None) -> str:
    """Say how old the data was when it was scored; an answer may be older than it looks."""
    hours = score.inputs.figures.standing.age_hours
    updated = "at a time that it does not state" if hours is None else _before(hours)
    answered = ""
    if look is not None and look.fetched_at is not None:
        since = (score.inputs.as_of - look.fetched_at).total_seconds() / 3600
        answered = f"; its answer came {_before(since)}"
    return f"Keepa looked at the product {updated}{answered}."


def _before(hours: float) -> str:
    return f"{max(0.0, hours):.1f} hours before this score"


def _offers(look: Look | None, buy: BuyPrice) -> Iterator[str]:
    """Say whether anybody knows what is for sale, which the buying price alone does not tell."""
    if look is None:
        return
    if look.failed:
        yield (
            "Keepa could not read the live offers: a better buying price, or more competition, may "
            "be among them."
        )
    elif not look.offers:
        yield "The live offers were not asked for, so nothing is known of what is for sale."
    elif buy.basis not in {BuyBasis.OFFER, BuyBasis.USER}:
        yield (
            "Of the live offers, if there are any, none can be bought: another condition, your own, "
            "a known swindler's, not seen for 7 days, or of unknown shipping."
        )


def _sell(sell: SellPrice) -> Iterator[str]:
    bounds = [f"usual {dollars(sell.usual_cents)}"]
    if sell.current_cents is not None:
        bounds.append(f"current {dollars(sell.current_cents)}")
    if sell.ceiling_cents is not None:
        bounds.append(f"ceiling {dollars(sell.ceiling_cents)}")
    yield (
        f"Sell price {dollars(sell.cents)} = least of {', '.join(bounds)} "
        f"({sell.series.name}, {100 * sell.coverage:.0f} % of the window covered)."
    )
    for name, price in zip(("In season", "Off season"), sell.season_cents, strict=True):
        if price is not None:
            yield f"{name} the usual price is {dollars(price)}."


def _demand(score: Score, demand: Demand, look: Look | None) -> Iterator[str]:
    competitors = score.inputs.figures.competitors
    yield f"Sales {demand.monthly_sales:.2f} a month ({demand.source})."
    yield (
        f"Our share 1 / ({competitors} + 1) = {demand.share:.4f}, so about "
        f"{demand.days_to_sell:.1f} days to sell one{_counted(score, look)}."
    )
    weeks = demand.consistency
    sold = "no rank history" if weeks is None else f"sales in {100 * weeks:.0f} % of 13 weeks"
    yield (
        f"Velocity {demand.velocity:.2f} from demand {demand.score:.2f}, "
        f"trend {demand.trend:+.3f} and {sold}."
    )


def _counted(score: Score, look: Look | None) -> str:
    """Say where the number of competitors comes from."""
    if look is not None and look.offers:
        return "; the others are live offers near our price"
    if score.inputs.figures.competitors_assumed:
        return "; the others are guessed, as nobody counted who ships through Amazon"
    return "; the others are Keepa's count, not live offers"


def _fees(score: Score, sums: Calculation) -> Iterator[str]:
    """Write each line of the sale with the numbers that it is made of."""
    inputs, sale = score.inputs, sums.sale
    day, terms, parcel = inputs.as_of.date(), inputs.terms, inputs.figures.parcel
    card, own = inputs.card, inputs.figures.referral_percent
    percent = card.referral_percent if own is None else own
    yield f"Referral {dollars(sale.referral)} = {percent} % of the price."
    yield f"Closing {dollars(sale.closing)}."
    if sums.shipment is not None:
        yield (
            f"Fulfilment {dollars(sale.fulfilment)}: card {dollars(sale.fulfilment_card)} "
            f"({sums.shipment.tier.name}, {sums.shipment.bill_ounces:.2f} oz){_larger(score)}, "
            f"x {card.fuel_factor(day)} fuel."
        )
        yield f"Placement {dollars(sale.placement)}."
        yield (
            f"Storage {dollars(sale.storage)} = {parcel.cubic_feet:.4f} cubic feet x "
            f"{dollars(int(card.storage_rate(day, sums.months)))} for {sums.months} month(s)."
        )
    else:
        yield f"Postage {dollars(sale.postage)}."
    yield f"Returns {dollars(sale.returns)} = {card.returns_percent} % of the price."
    yield f"Buffer {dollars(sale.buffer)} = {terms.strategy.buffer_percent} % of the price."
    yield f"Net {dollars(sale.net)} = price less all lines above."


def _larger(score: Score) -> str:
    """Say that the fee Keepa states differs, and that the larger of both is charged."""
    own = score.inputs.figures.pick_and_pack_cents
    if score.calculation is None or not score.calculation.sale.mismatch or own is None:
        return ""
    return f", Keepa states {dollars(own)}, the larger counts"


def _cost(score: Score, cost: Cost, buy: BuyPrice) -> Iterator[str]:
    terms = score.inputs.terms
    yield f"Buy {dollars(cost.buy)} ({buy.basis}): {_source(score, buy)}."
    yield f"Source shipping {dollars(cost.source_shipping)}."
    yield f"Sales tax {dollars(cost.sales_tax)} = {terms.sales_tax_percent} % of the buying price."
    yield f"Prep {dollars(cost.prep)}."
    if terms.channel is Channel.FBA:
        yield (
            f"Inbound {dollars(cost.inbound)} = {score.inputs.figures.parcel.ounces} oz "
            f"at {terms.inbound_cents_per_pound} cents a pound."
        )
    yield f"Cash {dollars(cost.cash)} = the sum of these."


def _source(score: Score, buy: BuyPrice) -> str:
    if buy.basis is BuyBasis.OFFER:
        return "the cheapest live offer that can be bought, its shipping included"
    if buy.basis is BuyBasis.ASSUMED:
        percent = score.inputs.terms.rules.assumed_percent
        return f"{percent} % of the sell price, at which nobody is known to sell"
    return OTHER_BASES[buy.basis]


def _result(score: Score, sums: Calculation) -> Iterator[str]:
    outcome = sums.outcome
    yield f"Profit {dollars(outcome.profit)} = net less cash."
    if outcome.roi_percent is not None:
        word = "Hypothetical ROI" if score.assumed else "ROI"
        yield f"{word} {hundredths(outcome.roi_percent)} % = profit / cash."
    yield (
        f"Buy at or below {dollars(sums.max_buy_cents)} for a {score.inputs.terms.target_percent} "
        f"% ROI: net / (1 + that), less tax, prep, inbound and shipping."
    )
    if sums.break_even_cents is not None:
        yield f"Break-even at a sell price of {dollars(sums.break_even_cents)}."
