"""The gates: what rules a product out before any number is looked at, and what holds it back."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from services.discovery.domain.scoring.demand import Demand
from services.discovery.domain.scoring.figures import Figures
from services.discovery.domain.scoring.money import dollars
from services.discovery.domain.scoring.terms import Channel, Terms

STORED_DAYS = 180


class Gate(StrEnum):
    """A reason why a product is skipped whatever it would earn."""

    BLOCKED = "BLOCKED"
    NOT_STANDARD = "NOT_STANDARD"
    ADULT = "ADULT"
    HAZARDOUS = "HAZARDOUS"
    REDIRECT = "REDIRECT"
    GATED = "GATED"
    STALE = "STALE"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    PRICE_OUTLIER = "PRICE_OUTLIER"
    NO_SALES = "NO_SALES"
    NO_RANK = "NO_RANK"
    RANK_TOO_LOW = "RANK_TOO_LOW"
    AMAZON_SELLING = "AMAZON_SELLING"
    FEE_UNKNOWN = "FEE_UNKNOWN"
    AGED_STOCK = "AGED_STOCK"


@dataclass(frozen=True, slots=True)
class Failed:
    """A gate a product did not pass, and why in plain words."""

    gate: Gate
    reason: str


def failed_gates(
    figures: Figures, terms: Terms, demand: Demand | None, *, fee_known: bool
) -> tuple[Failed, ...]:
    """List every gate that a product fails, in the order a person would check them."""
    return (
        *_own_gates(terms),
        *_product_gates(figures, terms),
        *_market_gates(figures, terms),
        *_sales_gates(figures, terms, demand, fee_known=fee_known),
    )


def _own_gates(terms: Terms) -> Iterator[Failed]:
    if terms.blocked is not None:
        why = f": {terms.blocked}" if terms.blocked else "."
        yield Failed(Gate.BLOCKED, f"On your do-not-buy list{why}")


def _product_gates(figures: Figures, terms: Terms) -> Iterator[Failed]:
    standing, days = figures.standing, terms.rules.limits.data_days
    if standing.product_type != 0:
        yield Failed(
            Gate.NOT_STANDARD,
            f"Not an ordinary product: Keepa's product type is {standing.product_type}.",
        )
    if standing.adult:
        yield Failed(Gate.ADULT, "Listed as an adult product.")
    if standing.hazardous:
        yield Failed(Gate.HAZARDOUS, "Contains hazardous material.")
    if standing.redirect:
        yield Failed(Gate.REDIRECT, "The ASIN only redirects to another one.")
    if standing.gated:
        yield Failed(Gate.GATED, "On your list of products you may not sell.")
    if standing.age_hours is None or standing.age_hours > 24 * days:
        yield Failed(Gate.STALE, _age(standing.age_hours, days))


def _age(hours: float | None, days: int) -> str:
    if hours is None:
        return "Keepa does not say when it last updated this product."
    return f"Keepa's data is {hours / 24:.1f} days old; at most {days} are accepted."


def _market_gates(figures: Figures, terms: Terms) -> Iterator[Failed]:
    sell, standing, limits = figures.sell, figures.standing, terms.rules.limits
    if sell is None:
        yield Failed(Gate.INSUFFICIENT_DATA, "No price history from which to expect a sell price.")
    elif sell.cents > limits.dearest_cents:
        yield Failed(
            Gate.PRICE_OUTLIER,
            f"A sell price of {dollars(sell.cents)} is above {dollars(limits.dearest_cents)}.",
        )
    absent = standing.amazon_absent_90
    enough = absent >= limits.amazon_absent_percent
    if standing.amazon_selling and not terms.condition.used and not enough:
        yield Failed(
            Gate.AMAZON_SELLING,
            f"Amazon sells it itself and was out of stock only {absent} % of 90 days.",
        )


def _sales_gates(
    figures: Figures, terms: Terms, demand: Demand | None, *, fee_known: bool
) -> Iterator[Failed]:
    signals, worst = figures.signals, terms.rules.limits.worst_rank
    if signals.drops_90 == 0:
        yield Failed(Gate.NO_SALES, "The sales rank never improved in 90 days: no sale was seen.")
    if signals.rank is None:
        yield Failed(Gate.NO_RANK, "No sales rank in the last 90 days.")
    elif signals.rank > worst:
        yield Failed(
            Gate.RANK_TOO_LOW,
            f"An average rank of {signals.rank:,} is beyond {worst:,}.",
        )
    if not fee_known:
        yield Failed(Gate.FEE_UNKNOWN, "Larger than the size tiers whose fees are known.")
    if demand is not None and terms.channel is Channel.FBA and demand.days_to_sell > STORED_DAYS:
        yield Failed(
            Gate.AGED_STOCK,
            f"Would lie at Amazon for about {demand.days_to_sell:.0f} days; "
            f"from 181 days a surcharge falls due.",
        )
