"""Strategic views: the same products in the order of five aims, each with its target prices."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from services.discovery.domain.answers import Appraisal, unscored
from services.discovery.domain.scoring.money import dollars, hundredths
from services.discovery.domain.scoring.score import Score
from services.discovery.domain.scoring.targets import ruled_out, target_buy, target_sell

FULL_PROFIT_CENTS = 5000
FULL_TURNOVER_DAYS = 30.0

WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "profit_hunter": {"roi": 0.5, "profit": 0.5},
    "velocity": {"velocity": 0.8, "roi": 0.2},
    "cashflow_hunter": {"turnover": 0.6, "roi": 0.4},
    "balanced_score": {"roi": 0.35, "velocity": 0.35, "stability": 0.15, "confidence": 0.15},
    "volume_player": {"volume": 0.7, "roi": 0.2, "confidence": 0.1},
}
"""What each view counts, and how much; every part is from 0 to 100, and so is the sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One product as a view sees it.

    Attributes:
        view_score: From 0 to 100; None when the product could not be judged.
        target_buy: The most to pay for the view's ROI, 0 when no price would do.
        target_sell: The least to get for it at the known cost.
    """

    appraisal: Appraisal
    view_score: float | None
    target_buy: int | None
    target_sell: int | None
    reason: str


def seen(view: str, roi_percent: Decimal, appraisals: Iterable[Appraisal]) -> list[Seen]:
    """Order products for a view: what a gate rules out comes after all others, then the rest."""
    return sorted((_see(view, roi_percent, one) for one in appraisals), key=_order)


def parts(score: Score) -> dict[str, float]:
    """Measure a score in each part, 0 to 100; what is hypothetical or unknown counts nothing."""
    demand, sums = score.demand, score.calculation
    known = None if score.assumed else sums
    return {
        "roi": _bounded(score.known_roi or 0.0),
        "profit": _bounded(100 * known.outcome.profit / FULL_PROFIT_CENTS if known else 0.0),
        "velocity": demand.velocity if demand else 0.0,
        "turnover": _bounded(100 * FULL_TURNOVER_DAYS / demand.days_to_sell) if demand else 0.0,
        "volume": demand.score if demand else 0.0,
        "stability": score.stability or 0.0,
        "confidence": score.confidence,
    }


def _see(view: str, roi_percent: Decimal, one: Appraisal) -> Seen:
    score = one.score
    if score is None:
        return Seen(
            appraisal=one,
            view_score=None,
            target_buy=None,
            target_sell=None,
            reason=unscored(one.status),
        )
    judged = score.calculation is not None and score.demand is not None
    measured = parts(score)
    worth = sum(weight * measured[part] for part, weight in WEIGHTS[view].items())
    most = target_buy(score, roi_percent)
    return Seen(
        appraisal=one,
        view_score=worth if judged else None,
        target_buy=None if most is None else max(0, most),
        target_sell=target_sell(score, roi_percent),
        reason=_reason(score, roi_percent, most),
    )


def _reason(score: Score, roi_percent: Decimal, most: int | None) -> str:
    sums = score.calculation
    if ruled_out(score) or sums is None or most is None:
        return score.reasons[0].message
    wish = f"a {roi_percent} % ROI"
    if most <= 0:
        return f"No buying price leaves {wish}."
    if score.assumed or sums.outcome.roi_percent is None:
        return f"No buying price is known; {dollars(most)} or less leaves {wish}."
    roi = hundredths(sums.outcome.roi_percent)
    word = "reaches" if sums.outcome.roi_percent >= roi_percent else "misses"
    return (
        f"At {dollars(sums.cost.buy)} it returns {roi} % and {word} {roi_percent} %; "
        f"{dollars(most)} or less leaves {wish}."
    )


def _order(one: Seen) -> tuple[bool, bool, float, float, str]:
    """Sort by judged or not, ruled out or not, the view's score, and what may be paid."""
    score, sums = one.appraisal.score, None
    if score is not None:
        sums = score.calculation
    room = (one.target_buy or 0) / sums.sale.sell if sums else 0.0
    out = score is not None and ruled_out(score)
    return one.view_score is None, out, -(one.view_score or 0.0), -room, one.appraisal.asin


def _bounded(value: float) -> float:
    return max(0.0, min(100.0, value))
