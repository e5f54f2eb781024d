"""How fast a product sells: units a month, our share of them, and one number from 0 to 100."""

import math
from dataclasses import dataclass
from enum import StrEnum

DROP_WEIGHTS = ((0.5, 1), (0.3, 3), (0.2, 6))
"""Weight and months of the drops of 30, 90 and 180 days."""

MERGING_RANK = 50_000
"""Above this popularity one rank drop hides several sales."""

MOST_MONTHLY_SALES = 300.0
MOST_DAYS = 365.0
FULL_DEMAND_SALES = 61
USED_COMPETITION = 0.3


class SalesSource(StrEnum):
    """What the monthly sales were worked out from."""

    MONTHLY_SOLD = "MONTHLY_SOLD"
    DROPS = "DROPS"
    RANK = "RANK"


@dataclass(frozen=True, slots=True)
class Demand:
    """The sales to expect, unrounded.

    Attributes:
        monthly_sales: Units a month of the whole product, at most 300.
        rank_only: The rank was all there was to go by.
        share: Our part of the sales, 0 to 1.
        days_to_sell: Until one copy is sold, at most 365.
        score: Demand alone, 0 to 100.
        trend: -0.5 falling to 0.5 rising.
        consistency: Part of the last 13 weeks with a sale; None without a rank history.
        velocity: 0 to 100.
    """

    monthly_sales: float
    source: SalesSource
    rank_only: bool
    share: float
    days_to_sell: float
    score: float
    trend: float
    consistency: float | None
    velocity: float


@dataclass(frozen=True, slots=True)
class Signals:
    """What Keepa shows of a product's sales; None where it shows nothing."""

    monthly_sold: int | None = None
    drops_30: int | None = None
    drops_90: int | None = None
    drops_180: int | None = None
    rank: int | None = None
    consistency: float | None = None


def demand(signals: Signals, competitors: int) -> Demand | None:
    """Estimate sales and velocity; None when there is nothing to estimate from."""
    estimate = _monthly_sales(signals)
    if estimate is None:
        return None
    sales, source = min(estimate[0], MOST_MONTHLY_SALES), estimate[1]
    share = 1 / (competitors + 1)
    trend = _trend(signals)
    score = min(100.0, 100 * math.log(1 + sales) / math.log(FULL_DEMAND_SALES))
    return Demand(
        monthly_sales=sales,
        source=source,
        rank_only=source is SalesSource.RANK and _from_drops(signals) is None,
        share=share,
        days_to_sell=min(MOST_DAYS, 30 / (sales * share)) if sales else MOST_DAYS,
        score=score,
        trend=trend,
        consistency=signals.consistency,
        velocity=_velocity(score, trend, signals.consistency),
    )


def sales_at_rank(rank: int) -> float:
    """Estimate units a month from the sales rank in Books.

    Source:
        A log-log fit of 60 products; extrapolated above rank 100,000.
    """
    return 30.9 * math.pow(125_000 / rank, 1.27)


def _monthly_sales(signals: Signals) -> tuple[float, SalesSource] | None:
    """Prefer what Amazon shows, then rank drops, then the rank itself."""
    if signals.monthly_sold is not None:
        return float(signals.monthly_sold), SalesSource.MONTHLY_SOLD
    drops, rank = _from_drops(signals), signals.rank
    if drops is None:
        return None if rank is None else (sales_at_rank(rank), SalesSource.RANK)
    if rank is not None and rank < MERGING_RANK and sales_at_rank(rank) > drops:
        return sales_at_rank(rank), SalesSource.RANK
    return drops, SalesSource.DROPS


def _from_drops(signals: Signals) -> float | None:
    """Weigh the monthly drops of the three windows that are known."""
    windows = zip(
        DROP_WEIGHTS, (signals.drops_30, signals.drops_90, signals.drops_180), strict=True
    )
    known = [(weight, drops / months) for (weight, months), drops in windows if drops is not None]
    if not known:
        return None
    return sum(weight * drops for weight, drops in known) / sum(weight for weight, _ in known)


def _trend(signals: Signals) -> float:
    """Compare the last month with the mean of the last three."""
    if signals.drops_30 is None or signals.drops_90 is None:
        return 0.0
    usual = signals.drops_90 / 3
    return max(-0.5, min(0.5, (signals.drops_30 - usual) / max(usual, 1)))


def _velocity(score: float, trend: float, consistency: float | None) -> float:
    if consistency is None:
        raw = 0.882 * score + 11.8 * (0.5 + trend)
    else:
        raw = 0.75 * score + 15 * consistency + 10 * (0.5 + trend)
    return max(0.0, min(100.0, raw))
