"""What a job looks for: filters, how products are scored, and saved sets of both."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True)
class Criteria:
    """Which products a search is for; empty values do not restrict.

    The words of ``domain``, ``availability`` and ``condition`` are the contract's, without
    their prefix. Ranks and prices are inclusive, 0 is open; prices are in cents.
    """

    domain: str = "COM"
    category_ids: tuple[int, ...] = ()
    best_rank: int = 0
    worst_rank: int = 0
    lowest_price_cents: int = 0
    highest_price_cents: int = 0
    availability: str = "ANY"
    condition: str = "NEW"
    title: str = ""


@dataclass(frozen=True)
class Scoring:
    """How products are scored.

    Attributes:
        buy_cents: Own buying prices by ASIN.
    """

    strategy: str = "BALANCED"
    condition: str = "NEW"
    buy_cents: dict[str, int] = field(default_factory=dict)
    sales_tax_basis_points: int = 0
    source_shipping_cents: int = 0


@dataclass(frozen=True)
class Thresholds:
    """What a profile asks of a pick, in percent or points of 100.

    ROI and velocity decide about a pick whose buying price is known (A11); stability and
    confidence are shown beside it.
    """

    roi_percent: Decimal = Decimal(0)
    velocity: Decimal = Decimal(0)
    stability: Decimal = Decimal(0)
    confidence: Decimal = Decimal(0)


@dataclass(frozen=True)
class Profile:
    """A saved set of filters and thresholds under a name.

    Attributes:
        products: Products that a job of this profile analyses.
    """

    id: str
    display_name: str
    description: str
    criteria: Criteria
    scoring: Scoring
    thresholds: Thresholds
    products: int
    created_at: datetime
    updated_at: datetime
    revision: int = 1
