"""The verdict: what to do with a product, and exactly what kept it from a better one."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from services.discovery.domain.scoring.caution import CAPS, Flag
from services.discovery.domain.scoring.gates import Failed
from services.discovery.domain.scoring.money import dollars, hundredths
from services.discovery.domain.scoring.rules import BUILT_IN, Rules
from services.discovery.domain.scoring.terms import Strategy


class Recommendation(StrEnum):
    """What to do with a product."""

    STRONG_BUY = "STRONG_BUY"
    BUY = "BUY"
    CONSIDER = "CONSIDER"
    SKIP = "SKIP"


LADDER = (Recommendation.STRONG_BUY, Recommendation.BUY, Recommendation.CONSIDER)


class Tier(StrEnum):
    """How good a pick is."""

    HOT = "HOT"
    TOP = "TOP"
    WATCH = "WATCH"
    OTHER = "OTHER"


TIERS = (
    (Tier.HOT, Decimal(50), 1500, 80.0, 85.0),
    (Tier.TOP, Decimal(35), 1000, 70.0, 75.0),
    (Tier.WATCH, Decimal(25), 500, 60.0, 65.0),
)
"""Tier with the least ROI, profit in cents, velocity and confidence it asks for."""


class Rating(StrEnum):
    """How good a product is."""

    EXCELLENT = "EXCELLENT"
    GOOD = "GOOD"
    FAIR = "FAIR"
    PASS = "PASS"  # noqa: S105 - a rating, not a password


RATINGS = (
    (Rating.EXCELLENT, Decimal(35), 70.0, 70.0, 80.0),
    (Rating.GOOD, Decimal(25), 50.0, 50.0, 60.0),
    (Rating.FAIR, Decimal(15), 30.0, 30.0, 40.0),
)
"""Rating with the least ROI, velocity, stability and confidence it asks for."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, as a stable code and as a sentence with the numbers."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Results:
    """The unrounded numbers that thresholds are compared with."""

    sell_cents: int
    profit_cents: int
    roi_percent: Decimal
    velocity: float
    days_to_sell: float
    confidence: float
    max_buy_cents: int
    assumed: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """A recommendation with its reasons, the deciding one first."""

    recommendation: Recommendation
    reasons: tuple[Reason, ...]


def judge(
    strategy: Strategy,
    results: Results | None,
    failed: tuple[Failed, ...],
    raised: tuple[Flag, ...],
    rules: Rules = BUILT_IN,
) -> Verdict:
    """Let the gates speak first, then an unknown price, then the thresholds and the caps."""
    if failed or results is None:
        reasons = tuple(Reason(fail.gate.value, fail.reason) for fail in failed)
        return Verdict(Recommendation.SKIP, reasons or (_MISSING,))
    if results.assumed:
        return _judge_unpriced(strategy, results)
    return _judge_priced(strategy, results, raised, rules)


def tier(results: Results) -> Tier:
    """Derive the tier; a price nobody asks for earns none."""
    for name, roi, profit, velocity, confidence in TIERS:
        met = results.roi_percent >= roi and results.profit_cents >= profit
        if met and results.velocity >= velocity and results.confidence >= confidence:
            return Tier.OTHER if results.assumed else name
    return Tier.OTHER


def rating(results: Results, stability: float | None) -> Rating:
    """Derive the rating; a price nobody asks for earns none, nor does an unknown stability."""
    if results.assumed or stability is None:
        return Rating.PASS
    for name, roi, velocity, steady, confidence in RATINGS:
        met = results.roi_percent >= roi and results.velocity >= velocity
        if met and stability >= steady and results.confidence >= confidence:
            return name
    return Rating.PASS


def composite(roi_percent: Decimal, velocity: float) -> float:
    """Weigh ROI and velocity into the number that lists are ordered by, 0 to 100."""
    return 0.6 * float(max(Decimal(0), min(Decimal(100), roi_percent))) + 0.4 * velocity


_MISSING = Reason("INSUFFICIENT_DATA", "Too little is known to work out a return.")


def _judge_unpriced(strategy: Strategy, results: Results) -> Verdict:
    """Judge without a known buying price: only what one may pay counts."""
    least = strategy.velocities[2]
    target = f"Buy at or below {dollars(results.max_buy_cents)}; no buying price is known yet."
    if results.velocity < least:
        reason = Reason("VELOCITY_BELOW_TARGET", _below("Velocity", results.velocity, least))
        return Verdict(Recommendation.SKIP, (reason,))
    if results.max_buy_cents * 4 < results.sell_cents:
        message = (
            f"One may pay at most {dollars(max(0, results.max_buy_cents))}, less than a quarter "
            f"of the sell price of {dollars(results.sell_cents)}."
        )
        return Verdict(Recommendation.SKIP, (Reason("MAX_BUY_TOO_LOW", message),))
    return Verdict(Recommendation.CONSIDER, (Reason(Flag.BUY_AT_OR_BELOW.value, target),))


def _judge_priced(
    strategy: Strategy, results: Results, raised: tuple[Flag, ...], rules: Rules
) -> Verdict:
    moved = rules.limits.volatile_percent
    caps = tuple(
        Reason(flag.value, CAPS[flag].format(moved=moved)) for flag in raised if flag in CAPS
    )
    above: tuple[Reason, ...] = ()
    for level, recommendation in enumerate(LADDER):
        if caps and recommendation is not Recommendation.CONSIDER:
            continue
        missing = tuple(_shortfalls(strategy, results, level, rules))
        if not missing:
            return Verdict(recommendation, (_earns(recommendation, results), *caps, *above))
        above = missing
    return Verdict(Recommendation.SKIP, (*above, *caps))


def _earns(recommendation: Recommendation, results: Results) -> Reason:
    message = (
        f"Earns {dollars(results.profit_cents)} ({hundredths(results.roi_percent)} % ROI) "
        f"within about {results.days_to_sell:.0f} days, at a velocity of {results.velocity:.1f}."
    )
    return Reason(f"THRESHOLDS_OF_{recommendation.value}", message)


def _shortfalls(strategy: Strategy, results: Results, level: int, rules: Rules) -> Iterator[Reason]:
    """Name every threshold of one rung that is not met."""
    rung = f"for {LADDER[level].value}"
    roi, confidence = rules.rois[level], rules.confidences[level]
    if results.roi_percent < roi:
        message = f"ROI {hundredths(results.roi_percent)} % is below {roi} % {rung}."
        yield Reason("ROI_BELOW_TARGET", message)
    if results.profit_cents < strategy.profits_cents[level]:
        least = dollars(strategy.profits_cents[level])
        message = f"Profit {dollars(results.profit_cents)} is below {least} {rung}."
        yield Reason("PROFIT_BELOW_TARGET", message)
    if results.velocity < strategy.velocities[level]:
        message = _below("Velocity", results.velocity, strategy.velocities[level], rung)
        yield Reason("VELOCITY_BELOW_TARGET", message)
    if results.confidence < confidence:
        message = _below("Confidence", results.confidence, confidence, rung)
        yield Reason("CONFIDENCE_BELOW_TARGET", message)
    if level < 2 and results.days_to_sell > strategy.days:
        message = (
            f"About {results.days_to_sell:.0f} days to sell are more than {strategy.days} {rung}."
        )
        yield Reason("TOO_SLOW", message)


def _below(name: str, value: float, least: float, rung: str = "") -> str:
    return f"{name} {value:.1f} is below {least:.0f}{' ' if rung else ''}{rung}."
