"""What holds a good-looking product back: flags, caps and how far the numbers can be trusted."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from services.discovery.domain.scoring.buying import BuyBasis
from services.discovery.domain.scoring.demand import Demand
from services.discovery.domain.scoring.figures import Figures
from services.discovery.domain.scoring.terms import Terms

ASSUMED_CONFIDENCE = 54.0
SUSPICIOUS_ROI = 200


class Flag(StrEnum):
    """A note on a score; some take confidence away, some cap the verdict."""

    BUY_AT_OR_BELOW = "BUY_AT_OR_BELOW"
    PRICE_SPIKE = "PRICE_SPIKE"
    PEAK_UNKNOWN = "PEAK_UNKNOWN"
    FEE_CARD_ASSUMED = "FEE_CARD_ASSUMED"
    WEIGHT_ASSUMED = "WEIGHT_ASSUMED"
    FEE_MISMATCH = "FEE_MISMATCH"
    COMPETITION_ASSUMED = "COMPETITION_ASSUMED"
    RANK_ONLY = "RANK_ONLY"
    AMAZON_PRESENT = "AMAZON_PRESENT"
    PRICE_VOLATILE = "PRICE_VOLATILE"
    MANY_FBA_OFFERS = "MANY_FBA_OFFERS"
    COUNTERFEIT_RISK = "COUNTERFEIT_RISK"


PENALTIES = {Flag.PRICE_SPIKE: 15.0, Flag.PEAK_UNKNOWN: 10.0, Flag.RANK_ONLY: 10.0}
CAPS = {
    Flag.PRICE_VOLATILE: "The price moved by more than {moved} % within 30 days.",
    Flag.MANY_FBA_OFFERS: "More FBA offers than this strategy accepts.",
    Flag.COUNTERFEIT_RISK: "Too cheap for a new textbook from an unknown seller.",
}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the calculation found out on its way that a person should know."""

    peak: bool
    card_in_force: bool
    fee_mismatch: bool


def flags(
    figures: Figures,
    terms: Terms,
    demand: Demand | None,
    circumstances: Circumstances,
    roi_percent: Decimal | None,
) -> Iterator[Flag]:
    """Raise every flag that the figures call for, in a fixed order."""
    yield from _data_flags(figures, demand, circumstances)
    yield from _market_flags(figures, terms)
    if demand is not None and _counterfeit_risk(figures, terms, demand, roi_percent):
        yield Flag.COUNTERFEIT_RISK


def _data_flags(
    figures: Figures, demand: Demand | None, circumstances: Circumstances
) -> Iterator[Flag]:
    """Raise the flags of numbers that had to be guessed."""
    if circumstances.peak:
        yield Flag.PEAK_UNKNOWN
    if not circumstances.card_in_force:
        yield Flag.FEE_CARD_ASSUMED
    if figures.parcel.assumed:
        yield Flag.WEIGHT_ASSUMED
    if circumstances.fee_mismatch:
        yield Flag.FEE_MISMATCH
    if figures.competitors_assumed:
        yield Flag.COMPETITION_ASSUMED
    if demand is not None and demand.rank_only:
        yield Flag.RANK_ONLY


def _market_flags(figures: Figures, terms: Terms) -> Iterator[Flag]:
    """Raise the flags of a market that may not stay as it is."""
    sell, standing = figures.sell, figures.standing
    volatile = terms.rules.limits.volatile_percent / 100
    if sell is not None and sell.spike:
        yield Flag.PRICE_SPIKE
    if sell is not None and sell.volatility is not None and sell.volatility > volatile:
        yield Flag.PRICE_VOLATILE
    if standing.amazon_selling:
        yield Flag.AMAZON_PRESENT
    if standing.fba_offers is not None and standing.fba_offers > terms.strategy.fba_offers:
        yield Flag.MANY_FBA_OFFERS


def confidence(figures: Figures, raised: tuple[Flag, ...]) -> float:
    """Take the penalties off the evidence; an assumed buying price caps what is left."""
    value = figures.evidence - sum(PENALTIES.get(flag, 0.0) for flag in raised)
    if figures.buy is None or figures.buy.basis is BuyBasis.ASSUMED:
        value = min(value, ASSUMED_CONFIDENCE)
    return max(0.0, min(100.0, value))


def _counterfeit_risk(
    figures: Figures, terms: Terms, demand: Demand, roi_percent: Decimal | None
) -> bool:
    """Whether a new textbook in demand is offered by a stranger at a price too good to be true."""
    sell, buy = figures.sell, figures.buy
    if sell is None or buy is None or not buy.unknown_seller:
        return False
    if terms.condition.used or not terms.strategy.textbook:
        return False
    cheap = buy.cents * 2 < sell.usual_cents
    rich = roi_percent is not None and roi_percent > SUSPICIOUS_ROI
    return demand.velocity >= terms.strategy.velocities[2] and (cheap or rich)
