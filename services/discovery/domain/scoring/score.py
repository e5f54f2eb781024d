"""The score: one product judged, with every number that led to it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

import msgspec

from services.discovery.domain.product import ProductFacts
from services.discovery.domain.scoring import caution, demand, gates, verdict
from services.discovery.domain.scoring.buying import BuyBasis
from services.discovery.domain.scoring.card import FeeCard, Shipment, card_for
from services.discovery.domain.scoring.caution import Circumstances, Flag
from services.discovery.domain.scoring.demand import Demand
from services.discovery.domain.scoring.figures import Figures, read
from services.discovery.domain.scoring.profit import Cost, Outcome, Sale, months_stored, trade
from services.discovery.domain.scoring.terms import Channel, Terms
from services.discovery.domain.scoring.verdict import Rating, Reason, Recommendation, Results, Tier

SCORE_VERSION = "2026.1"
"""Changes whenever the same inputs could give another score."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything a score follows from: kept with it, so that anybody can redo it."""

    score_version: str
    fee_card: str
    as_of: datetime
    terms: Terms
    figures: Figures

    @property
    def card(self) -> FeeCard:
        """The fees of the day, with the business's own in their places."""
        return self.terms.rules.amend(card_for(self.as_of.date())[0])

    def encode(self) -> bytes:
        """Write the inputs as JSON that is the same for the same inputs, to the byte."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def decode(cls, data: bytes) -> "Inputs":
        """Read back what ``encode`` wrote."""
        return msgspec.json.decode(data, type=cls)


@dataclass(frozen=True, slots=True)
class Calculation:
    """The money of one score: the sale, the cost, and what follows from both.

    Attributes:
        break_even_cents: The lowest sell price that pays for the copy; None above what is scored.
        low: Outcome at the 25th percentile of the sell price; None without a history.
        high: Outcome at the 75th percentile.
    """

    shipment: Shipment | None
    months: int
    sale: Sale
    cost: Cost
    outcome: Outcome
    max_buy_cents: int
    break_even_cents: int | None
    low: Outcome | None
    high: Outcome | None


@dataclass(frozen=True, slots=True)
class Score:
    """One judged product. Percentages and indices are unrounded.

    Attributes:
        calculation: None when there is no sell price or no known fee.
        demand: None when nothing is known of its sales.
        inputs_hash: SHA-256 of the encoded inputs, in hex.
    """

    inputs: Inputs
    inputs_hash: str
    calculation: Calculation | None
    demand: Demand | None
    stability: float | None
    confidence: float
    flags: tuple[Flag, ...]
    recommendation: Recommendation
    reasons: tuple[Reason, ...]
    composite: float | None
    tier: Tier
    rating: Rating

    def encode(self) -> bytes:
        """Write the whole score as JSON, to be kept."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def decode(cls, data: bytes) -> "Score":
        """Read back what ``encode`` wrote."""
        return msgspec.json.decode(data, type=cls)

    @property
    def asin(self) -> str:
        """The product that was scored."""
        return self.inputs.figures.asin

    @property
    def assumed(self) -> bool:
        """Whether the buying price is invented, so that the ROI is hypothetical."""
        buy = self.inputs.figures.buy
        return buy is None or buy.basis is BuyBasis.ASSUMED

    @property
    def known_roi(self) -> float | None:
        """The ROI in per cent where the buying price is known."""
        roi = None if self.calculation is None else self.calculation.outcome.roi_percent
        return None if roi is None or self.assumed else float(roi)

    @property
    def order(self) -> tuple[bool, bool, float, int, str]:
        """The key that sorts scores best first.

        Skipped products come last and hypothetical returns after real ones; then the composite
        decides, then profit, then the ASIN.
        """
        profit = 0 if self.calculation is None else self.calculation.outcome.profit
        skipped = self.recommendation is Recommendation.SKIP
        return skipped, self.assumed, -(self.composite or 0.0), -profit, self.asin


def score(product: ProductFacts, terms: Terms, as_of: datetime) -> Score:
    """Score one product as of an instant."""
    return evaluate(read(product, terms, as_of), terms, as_of)


def replay(inputs: Inputs) -> Score:
    """Score stored inputs again.

    Raises:
        ValueError: They were scored by other rules, which would give another answer.
    """
    if inputs.score_version != SCORE_VERSION:
        raise ValueError(f"scored by {inputs.score_version}, these rules are {SCORE_VERSION}")
    return evaluate(inputs.figures, inputs.terms, inputs.as_of)


def evaluate(figures: Figures, terms: Terms, as_of: datetime) -> Score:
    """Judge resolved figures; pure, so that the same inputs give the same score for ever."""
    card, in_force = card_for(as_of.date())
    card = terms.rules.amend(card)
    inputs = Inputs(SCORE_VERSION, card.id, as_of, terms, figures)
    sales = demand.demand(figures.signals, figures.competitors)
    fba = terms.channel is Channel.FBA
    shipment = card.classify(figures.parcel) if fba else None
    fee_known = shipment is not None or not fba
    sums = None
    if fee_known:
        sums = _calculate(inputs, card, shipment, sales)
    circumstances = Circumstances(
        peak=fba and card.peak(as_of.date()),
        card_in_force=in_force,
        fee_mismatch=sums is not None and sums.sale.mismatch,
    )
    roi = None if sums is None else sums.outcome.roi_percent
    raised = tuple(caution.flags(figures, terms, sales, circumstances, roi))
    failed = gates.failed_gates(figures, terms, sales, fee_known=fee_known)
    return _conclude(inputs, sums, sales, raised, failed)


def _calculate(
    inputs: Inputs, card: FeeCard, shipment: Shipment | None, sales: Demand | None
) -> Calculation | None:
    """Do the sums, when there is a price to do them with."""
    figures, day = inputs.figures, inputs.as_of.date()
    sell, buy = figures.sell, figures.buy
    if sell is None or buy is None:
        return None
    months = months_stored(demand.MOST_DAYS if sales is None else sales.days_to_sell)
    deal = trade(figures, inputs.terms, card, shipment=shipment, day=day, months=months)
    cost, sale = deal.cost(buy.cents), deal.sale(sell.cents)
    low, high = sell.low_cents, sell.high_cents
    return Calculation(
        shipment=shipment,
        months=months,
        sale=sale,
        cost=cost,
        outcome=deal.outcome(sell.cents, cost.cash),
        max_buy_cents=deal.max_buy(sale.net),
        break_even_cents=deal.break_even(cost.cash),
        low=None if low is None else deal.outcome(low, cost.cash),
        high=None if high is None else deal.outcome(high, cost.cash),
    )


def _conclude(
    inputs: Inputs,
    sums: Calculation | None,
    sales: Demand | None,
    raised: tuple[Flag, ...],
    failed: tuple[gates.Failed, ...],
) -> Score:
    """Draw the verdict and whatever derives from it."""
    figures, strategy = inputs.figures, inputs.terms.strategy
    confidence = caution.confidence(figures, raised)
    results = _results(figures, sums, sales, confidence)
    judged = verdict.judge(strategy, results, failed, raised, inputs.terms.rules)
    if judged.reasons[0].code == Flag.BUY_AT_OR_BELOW:
        raised = (Flag.BUY_AT_OR_BELOW, *raised)
    stability = None
    if figures.sell is not None and figures.sell.variation is not None:
        stability = 100 * (1 - min(1.0, figures.sell.variation / 0.5))
    counted = None if failed else results
    return Score(
        inputs=inputs,
        inputs_hash=sha256(inputs.encode()).hexdigest(),
        calculation=sums,
        demand=sales,
        stability=stability,
        confidence=confidence,
        flags=raised,
        recommendation=judged.recommendation,
        reasons=judged.reasons,
        composite=_composite(results),
        tier=Tier.OTHER if counted is None else verdict.tier(counted),
        rating=Rating.PASS if counted is None else verdict.rating(counted, stability),
    )


def _results(
    figures: Figures, sums: Calculation | None, sales: Demand | None, confidence: float
) -> Results | None:
    """Gather what thresholds look at; None when a part is missing."""
    if sums is None or sales is None or figures.buy is None:
        return None
    roi: Decimal | None = sums.outcome.roi_percent
    if roi is None:
        return None
    return Results(
        sell_cents=sums.sale.sell,
        profit_cents=sums.outcome.profit,
        roi_percent=roi,
        velocity=sales.velocity,
        days_to_sell=sales.days_to_sell,
        confidence=confidence,
        max_buy_cents=sums.max_buy_cents,
        assumed=figures.buy.basis is BuyBasis.ASSUMED,
    )


def _composite(results: Results | None) -> float | None:
    if results is None:
        return None
    return verdict.composite(results.roi_percent, results.velocity)
