"""What the reseller brings to a score: strategy, condition, channel and own costs."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from services.discovery.domain.product import Kind
from services.discovery.domain.scoring.rules import BUILT_IN, Rules


class Condition(StrEnum):
    """The condition in which the copy is sold."""

    NEW = "NEW"
    USED_LIKE_NEW = "USED_LIKE_NEW"
    USED_VERY_GOOD = "USED_VERY_GOOD"
    USED_GOOD = "USED_GOOD"
    USED_ACCEPTABLE = "USED_ACCEPTABLE"

    @property
    def used(self) -> bool:
        """Whether the copy has had an owner."""
        return self is not Condition.NEW


class Channel(StrEnum):
    """Who ships to the buyer: Amazon (FBA) or the reseller (FBM)."""

    FBA = "FBA"
    FBM = "FBM"


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way of reselling, with what it asks of a product.

    Attributes:
        velocities: Least velocity for STRONG_BUY, BUY, CONSIDER.
        profits_cents: Least profit for STRONG_BUY, BUY, CONSIDER.
        days: Most days until the sale.
        window_days: The stretch of history that the sell price is taken from.
        fba_offers: More live FBA offers than this cap the verdict at CONSIDER.
    """

    name: str
    velocities: tuple[int, int, int]
    profits_cents: tuple[int, int, int]
    days: int
    window_days: int
    buffer_percent: Decimal
    fba_offers: int
    textbook: bool


STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        Strategy(
            name="smart_velocity",
            velocities=(80, 60, 40),
            profits_cents=(1000, 500, 300),
            days=45,
            window_days=90,
            buffer_percent=Decimal(5),
            fba_offers=5,
            textbook=False,
        ),
        Strategy(
            name="balanced",
            velocities=(80, 60, 40),
            profits_cents=(1000, 500, 300),
            days=60,
            window_days=90,
            buffer_percent=Decimal(5),
            fba_offers=5,
            textbook=False,
        ),
        Strategy(
            name="textbooks_standard",
            velocities=(50, 40, 30),
            profits_cents=(1500, 800, 500),
            days=90,
            window_days=365,
            buffer_percent=Decimal(7),
            fba_offers=5,
            textbook=True,
        ),
        Strategy(
            name="textbooks_patience",
            velocities=(40, 30, 20),
            profits_cents=(2500, 1500, 1000),
            days=180,
            window_days=365,
            buffer_percent=Decimal(7),
            fba_offers=3,
            textbook=True,
        ),
    )
}

GRADE_SERIES = {
    Condition.USED_LIKE_NEW: Kind.USED_LIKE_NEW,
    Condition.USED_VERY_GOOD: Kind.USED_VERY_GOOD,
    Condition.USED_GOOD: Kind.USED_GOOD,
    Condition.USED_ACCEPTABLE: Kind.USED_ACCEPTABLE,
}

ACCEPTED_GRADES = {
    Condition.NEW: frozenset({1}),
    Condition.USED_LIKE_NEW: frozenset({2}),
    Condition.USED_VERY_GOOD: frozenset({2, 3}),
    Condition.USED_GOOD: frozenset({2, 3, 4}),
    Condition.USED_ACCEPTABLE: frozenset({2, 3, 4, 5}),
}
"""Keepa's condition codes of a copy that may be resold as the key: the same grade or better."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How the reseller buys and sells.

    Attributes:
        cost_cents: What the copy costs, when the reseller knows it.
        postage_cents: What sending one copy costs the reseller; FBM only.
        target_percent: The ROI that ``max_buy`` is worked out for.
        own_sellers: Seller ids whose offers are not competition and never bought.
        gated: ASINs the reseller may not sell.
        blocked: Why the product is on the do-not-buy list, maybe in no words; None when it is not.
        rules: What the business has set, of one revision.
    """

    strategy: Strategy = STRATEGIES["balanced"]
    condition: Condition = Condition.NEW
    channel: Channel = Channel.FBA
    cost_cents: int | None = None
    source_shipping_cents: int = 0
    sales_tax_percent: Decimal = Decimal(0)
    prep_cents: int = 20
    inbound_cents_per_pound: int = 40
    placement_cents: int = 30
    postage_cents: int = 0
    target_percent: Decimal = Decimal(30)
    own_sellers: frozenset[str] = frozenset()
    gated: frozenset[str] = frozenset()
    blocked: str | None = None
    rules: Rules = BUILT_IN
