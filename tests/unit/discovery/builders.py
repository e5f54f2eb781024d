"""Products, figures and terms with defaults, so that a test shows only what matters to it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.discovery.domain.product import Kind, Offer, ProductFacts, Series, Statistics
from services.discovery.domain.scoring.buying import BuyBasis, BuyPrice
from services.discovery.domain.scoring.demand import Signals
from services.discovery.domain.scoring.figures import Figures, Standing
from services.discovery.domain.scoring.parcel import Parcel
from services.discovery.domain.scoring.selling import SellPrice
from services.discovery.domain.scoring.terms import STRATEGIES, Condition, Terms

AS_OF = datetime(2026, 9, 15, tzinfo=UTC)
OFF_SEASON = datetime(2026, 5, 15, tzinfo=UTC)


def terms(strategy: str = "balanced", **changes: Any) -> Terms:
    """Terms of one strategy."""
    return Terms(strategy=STRATEGIES[strategy], **changes)


def used(strategy: str = "balanced", **changes: Any) -> Terms:
    """Terms of somebody who sells copies in good used condition."""
    return terms(strategy, condition=Condition.USED_GOOD, **changes)


def seconds(instant: datetime) -> int:
    """An instant as histories hold it."""
    return int(instant.timestamp())


def series(*points: tuple[float, int], as_of: datetime = AS_OF) -> Series:
    """A history from (days ago, value) points, oldest first."""
    times = [seconds(as_of - timedelta(days=days)) for days, _ in points]
    return Series(times, [value for _, value in points])


def steady(value: int, as_of: datetime = AS_OF, changes: int = 40) -> Series:
    """A history that hardly moves, with many recorded points."""
    step = 360 / changes
    return series(*((360 - step * at, value + at % 2) for at in range(changes)), as_of=as_of)


def weekly_drops(rank: int, as_of: datetime = AS_OF) -> Series:
    """A rank history with one improvement in each week of a year."""
    points = []
    for week in range(52, 0, -1):
        points += [(week * 7 - 1.0, rank + 5_000), (week * 7 - 4.0, rank)]
    return series(*points, as_of=as_of)


def statistics(**changes: Any) -> Statistics:
    """Statistics of a book that sells every other day and that Amazon does not sell."""
    base = Statistics(
        current={Kind.NEW: 4200, Kind.USED: 1500, Kind.COUNT_NEW_FBA: 4, Kind.COUNT_USED: 9},
        avg90={Kind.NEW: 4200, Kind.SALES_RANK: 95_000},
        out_of_stock_90={Kind.AMAZON: 100},
        drops_30=22,
        drops_90=60,
        drops_180=110,
    )
    return replace(base, **changes)


def product(as_of: datetime = AS_OF, **changes: Any) -> ProductFacts:
    """A paperback in all its details, updated an hour ago."""
    base = ProductFacts(
        asin="0306406152",
        title="A book",
        weight_grams=1361,
        size_mm=(254, 203, 38),
        availability_amazon=-1,
        updated_at=as_of - timedelta(hours=1),
        statistics=statistics(),
        series={
            Kind.NEW: steady(4200, as_of),
            Kind.USED: steady(1500, as_of),
            Kind.SALES_RANK: weekly_drops(95_000, as_of),
        },
    )
    return replace(base, **changes)


def offer(price: int, shipping: int | None = 0, **changes: Any) -> Offer:
    """A live offer of a new copy, seen an hour ago."""
    base = Offer(
        seller_id="A1", condition=1, price_cents=price, shipping_cents=shipping,
        seen_at=AS_OF - timedelta(hours=1),
    )  # fmt: skip
    return replace(base, **changes)


def figures(
    sell: int = 4200,
    buy: int = 1200,
    basis: str = "OFFER",
    *,
    ounces: str = "48",
    inches: tuple[str, str, str] = ("10", "8", "1.5"),
    **changes: Any,
) -> Figures:
    """The resolved figures of golden vector 1."""
    length, width, height = (Decimal(side) for side in inches)
    base = Figures(
        asin="0306406152",
        sell=SellPrice(sell, "MEDIAN", Kind.NEW, sell),
        buy=BuyPrice(buy, BuyBasis(basis)),
        parcel=Parcel(Decimal(ounces), (length, width, height)),
        signals=Signals(
            drops_30=22, drops_90=60, drops_180=110, rank=95_000, consistency=0.9
        ),
        competitors=4,
        standing=Standing(),
        evidence=82.0,
    )  # fmt: skip
    return replace(base, **changes)
