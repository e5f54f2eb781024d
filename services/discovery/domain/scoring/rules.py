"""The rules of the business: every number that a reseller may set, with its usual value."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from services.discovery.domain.scoring.card import FeeCard

DEAREST_CENTS = 150_000
"""Nothing above $1,500 is scored, so no break-even is looked for there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What keeps a product from being recommended at all.

    Attributes:
        worst_rank: Mean sales rank of 90 days.
        data_days: Older data counts as stale.
        amazon_absent_percent: Of 90 days, for a new copy to be sold against Amazon.
        dearest_cents: A sell price above this is taken for an outlier.
        volatile_percent: Movement of the price within 30 days, which caps at CONSIDER.
    """

    worst_rank: int = 2_000_000
    data_days: int = 7
    amazon_absent_percent: int = 50
    dearest_cents: int = DEAREST_CENTS
    volatile_percent: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One revision's thresholds, limits and fees; a fee of None is the fee card's.

    Attributes:
        revision: Of the configuration; 1 is the built-in one.
        surcharge_percent: Comes on top of the fulfilment fee.
        assumed_percent: Of the sell price, taken as the buying price where none is known.
        rois: Least ROI of STRONG_BUY, BUY and CONSIDER; ``confidences`` likewise.
    """

    revision: int = 1
    returns_percent: Decimal | None = None
    referral_percent: Decimal | None = None
    closing_cents: int | None = None
    surcharge_percent: Decimal | None = None
    assumed_percent: Decimal = Decimal(40)
    rois: tuple[Decimal, Decimal, Decimal] = (Decimal(50), Decimal(30), Decimal(15))
    confidences: tuple[float, float, float] = (70.0, 55.0, 0.0)
    limits: Limits = Limits()

    def amend(self, card: FeeCard) -> FeeCard:
        """Give the fee card with the reseller's own fees in the places that are set."""
        own = {
            "returns_percent": self.returns_percent,
            "referral_percent": self.referral_percent,
            "media_closing_cents": self.closing_cents,
        }
        changes: dict[str, object] = {name: fee for name, fee in own.items() if fee is not None}
        if self.surcharge_percent is not None:
            changes["fuel"] = ((date.min, 1 + self.surcharge_percent / 100),)
        return replace(card, **changes) if changes else card  # type: ignore[arg-type]


BUILT_IN = Rules()
