"""What is known about one product: the facts that scoring reads, with nothing of the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import IntEnum


class Kind(IntEnum):
    """Keepa's indexes of price, rank and count histories that scoring reads."""

    AMAZON = 0
    NEW = 1
    USED = 2
    SALES_RANK = 3
    NEW_FBA = 10
    COUNT_NEW = 11
    COUNT_USED = 12
    BUY_BOX_NEW = 18
    USED_LIKE_NEW = 19
    USED_VERY_GOOD = 20
    USED_GOOD = 21
    USED_ACCEPTABLE = 22
    EBAY_NEW = 28
    EBAY_USED = 29
    BUY_BOX_USED = 32
    COUNT_NEW_FBA = 34


SERIES_NAMES = {
    Kind.AMAZON: "AMAZON",
    Kind.NEW: "NEW",
    Kind.USED: "USED",
    Kind.SALES_RANK: "SALES",
    Kind.NEW_FBA: "NEW_FBA",
    Kind.COUNT_NEW: "COUNT_NEW",
    Kind.COUNT_USED: "COUNT_USED",
    Kind.BUY_BOX_NEW: "BUY_BOX_SHIPPING",
    Kind.USED_LIKE_NEW: "USED_NEW_SHIPPING",
    Kind.USED_VERY_GOOD: "USED_VERY_GOOD_SHIPPING",
    Kind.USED_GOOD: "USED_GOOD_SHIPPING",
    Kind.USED_ACCEPTABLE: "USED_ACCEPTABLE_SHIPPING",
    Kind.EBAY_NEW: "EBAY_NEW_SHIPPING",
    Kind.EBAY_USED: "EBAY_USED_SHIPPING",
    Kind.BUY_BOX_USED: "BUY_BOX_USED_SHIPPING",
    Kind.COUNT_NEW_FBA: "COUNT_NEW_FBA",
}
"""Keepa's own names of these histories."""


@dataclass(frozen=True, slots=True)
class Series:
    """One history: each value holds from its instant until the next.

    Attributes:
        times: Unix seconds, ascending.
        values: As long as ``times``; cents, a rank or a count. Below 1 means absent.
    """

    times: Sequence[int]
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Offer:
    """One live offer.

    Attributes:
        condition: Keepa's code: 1 new, 2 like new, 3 very good, 4 good, 5 acceptable.
        price_cents: Without shipping.
        shipping_cents: None when it is not known; such an offer is never bought.
        stock: Units on sale; None when that is not known.
    """

    seller_id: str
    condition: int
    price_cents: int
    shipping_cents: int | None
    seen_at: datetime
    fba: bool = False
    amazon: bool = False
    warehouse_deal: bool = False
    scam: bool = False
    id: int = 0
    stock: int | None = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Keepa's statistics, each keyed by the history's index; absent values are left out.

    Attributes:
        out_of_stock_90: Per cent of the last 90 days.
        drops_30: How often the sales rank improved in 30 days: a proxy for sales.
        fba_offers: Live offers fulfilled by Amazon, of any condition.
    """

    current: Mapping[int, int] = field(default_factory=dict)
    avg30: Mapping[int, int] = field(default_factory=dict)
    avg90: Mapping[int, int] = field(default_factory=dict)
    avg180: Mapping[int, int] = field(default_factory=dict)
    avg365: Mapping[int, int] = field(default_factory=dict)
    out_of_stock_90: Mapping[int, int] = field(default_factory=dict)
    drops_30: int | None = None
    drops_90: int | None = None
    drops_180: int | None = None
    fba_offers: int | None = None


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """One product as of its last update.

    Attributes:
        product_type: Keepa's code; 0 is an ordinary product.
        closing_cents: Amazon's variable closing fee; None when Keepa does not say.
        series: Histories keyed by ``Kind``; histories without a point are left out.
        offers: Live offers, or None when they were not asked for or could not be read.
        offers_failed: They were asked for, and could not be read.
    """

    asin: str
    title: str = ""
    product_type: int = 0
    media: bool = True
    hardcover: bool = False
    adult: bool = False
    hazardous: bool = False
    redirect: bool = False
    weight_grams: int | None = None
    size_mm: tuple[int, int, int] | None = None
    availability_amazon: int | None = None
    monthly_sold: int | None = None
    referral_percent: Decimal | None = None
    closing_cents: int | None = None
    pick_and_pack_cents: int | None = None
    updated_at: datetime | None = None
    ebay_updated_at: datetime | None = None
    statistics: Statistics = field(default_factory=Statistics)
    series: Mapping[int, Series] = field(default_factory=dict)
    offers: tuple[Offer, ...] | None = None
    offers_failed: bool = False
