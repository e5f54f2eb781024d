"""The configuration that scores follow: every number, read from where it decides."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.discovery.domain.scoring import gates, profit, verdict
from services.discovery.domain.scoring.buying import ASSUMED_FACTOR
from services.discovery.domain.scoring.card import FeeCard, card_for
from services.discovery.domain.scoring.terms import STRATEGIES, Strategy, Terms

VIEW_ROI_PERCENT = {
    "profit_hunter": 50,
    "velocity": 25,
    "cashflow_hunter": 35,
    "balanced_score": 40,
    "volume_player": 20,
}
"""The ROI on cost that the target prices of each strategic view are worked out for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What keeps a product from being recommended at all."""

    worst_rank: int = gates.WORST_RANK
    data_days: int = gates.STALE_HOURS // 24
    amazon_absent_percent: int = gates.AMAZON_ABSENT_PERCENT
    dearest_cents: int = profit.DEAREST_CENTS
    volatile_percent: int = round(100 * gates.VOLATILE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The built-in configuration as it holds on a day.

    Attributes:
        terms: Prep, inbound and placement, as for a reseller who states none.
        surcharge_percent: Comes on top of the fulfilment fee.
        assumed_percent: Of the selling price, taken as the buying price where none is known.
        rois: Least ROI of STRONG_BUY, BUY and CONSIDER; ``confidences`` likewise.
    """

    card: FeeCard
    surcharge_percent: Decimal
    terms: Terms
    assumed_percent: Decimal = 100 * ASSUMED_FACTOR
    rois: tuple[Decimal, Decimal, Decimal] = verdict.ROIS
    confidences: tuple[float, float, float] = verdict.CONFIDENCES
    strategies: tuple[Strategy, ...] = tuple(STRATEGIES.values())
    limits: Limits = Limits()


def config_on(day: date) -> Config:
    """Give the configuration that scores of a day follow."""
    card, _ = card_for(day)
    return Config(card=card, terms=Terms(), surcharge_percent=100 * (card.fuel_factor(day) - 1))
