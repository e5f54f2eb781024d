"""What is asked for: which products, and how they are to be scored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec

from services.discovery.domain.scoring.config import BUILT_IN, Config
from services.discovery.domain.scoring.score import SCORE_VERSION
from services.discovery.domain.scoring.terms import Condition, Terms

DIGEST_FORM = 1
"""Changes when questions are to be named anew, so that nothing stored answers them."""

PAGE_LEAST = 50
PAGE_MOST = 10_000
SEARCH_BASE_TOKENS = 10
SEARCH_BLOCK = 100


BEST_SELLERS_TOKENS = 50


class Source(StrEnum):
    """Where products are looked for."""

    FINDER = "FINDER"
    BEST_SELLERS = "BEST_SELLERS"


class Availability(StrEnum):
    """What Amazon itself may offer."""

    ANY = "ANY"
    AMAZON_ABSENT = "AMAZON_ABSENT"
    AMAZON_PRESENT = "AMAZON_PRESENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which products are looked for, defaults filled in; None does not restrict.

    Attributes:
        domain: Keepa's number of the marketplace.
        category_ids: Ascending; one must match.
        condition: Also says whose price ``price_least`` and ``price_most`` bound.
        source: A list of best sellers takes one category and no restriction.
    """

    domain: int = 1
    category_ids: tuple[int, ...] = ()
    rank_least: int | None = None
    rank_most: int | None = None
    price_least: int | None = None
    price_most: int | None = None
    availability: Availability = Availability.ANY
    condition: Condition = Condition.NEW
    title: str = ""
    max_results: int = 50
    source: Source = Source.FINDER

    @property
    def key(self) -> str:
        """The name under which an answer is kept: the same for the same question."""
        return digest("list", self)

    @property
    def per_page(self) -> int:
        """How many ASINs Keepa is asked for; it gives no fewer than 50."""
        return max(PAGE_LEAST, min(PAGE_MOST, self.max_results))

    @property
    def most_tokens(self) -> int:
        """The most that finding can cost: 10 tokens and 1 per started 100 ASINs, or a list's 50."""
        if self.source is Source.BEST_SELLERS:
            return BEST_SELLERS_TOKENS
        return SEARCH_BASE_TOKENS - (-self.per_page // SEARCH_BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How products are scored.

    Attributes:
        costs_cents: Own buying prices by ASIN.
    """

    strategy: str = "balanced"
    condition: Condition = Condition.NEW
    costs_cents: Mapping[str, int] = field(default_factory=dict)
    sales_tax_basis_points: int = 0
    source_shipping_cents: int = 0

    def terms(self, asin: str, blocked: str | None = None, config: Config = BUILT_IN) -> Terms:
        """Give the terms of one product, and why it is blocked if it is."""
        return Terms(
            strategy=config.strategies[self.strategy],
            condition=self.condition,
            cost_cents=self.costs_cents.get(asin),
            source_shipping_cents=self.source_shipping_cents,
            sales_tax_percent=Decimal(self.sales_tax_basis_points) / 100,
            prep_cents=config.prep_cents,
            inbound_cents_per_pound=config.inbound_cents_per_pound,
            placement_cents=config.placement_cents,
            target_percent=config.rules.rois[1],
            blocked=blocked,
            rules=config.rules,
        )

    def key(self, domain: int, asin: str, blocked: str | None = None) -> str:
        """The name under which a product's score is kept; a block is part of it.

        The configuration is none: its revision stands beside the score, so that a score of an
        older one is replaced and not kept beside the new one.
        """
        return digest("score", (domain, asin, SCORE_VERSION, self.terms(asin, blocked)))


def digest(kind: str, content: Any) -> str:
    """Name a question: its kind in clear, its content hashed."""
    packed = msgspec.json.encode((DIGEST_FORM, content), order="deterministic")
    return f"{kind}:{sha256(packed).hexdigest()}"
