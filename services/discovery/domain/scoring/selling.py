"""The sell price: what a copy in one condition may be expected to fetch, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from services.discovery.domain.product import Kind, ProductFacts
from services.discovery.domain.scoring import history
from services.discovery.domain.scoring.history import Holding
from services.discovery.domain.scoring.money import cents
from services.discovery.domain.scoring.terms import GRADE_SERIES, Terms

LEAST_COVERAGE = 0.20
CEILING = Decimal("0.90")
SPIKE = 3
VOLATILITY_DAYS = 30


@dataclass(frozen=True, slots=True)
class SellPrice:
    """The price a score counts on, with every number that led to it.

    Attributes:
        basis: Which of the three bounds decided: MEDIAN, CURRENT or CEILING.
        series: The history the price was taken from; histories are never mixed.
        usual_cents: The time-weighted median over the window, or Keepa's 90 day average.
        low_cents: The 25th percentile of the price over the window, never above the price.
        high_cents: The 75th percentile, within the ceiling, never below the price.
        points: Recorded changes inside the window.
        variation: Coefficient of variation; None without a history.
        volatility: (highest - lowest) / median over 30 days; None without a history.
        season_cents: In-season and off-season price of a textbook, where known.
    """

    cents: int
    basis: str
    series: Kind
    usual_cents: int
    current_cents: int | None = None
    ceiling_cents: int | None = None
    low_cents: int | None = None
    high_cents: int | None = None
    coverage: float = 0.0
    points: int = 0
    variation: float | None = None
    volatility: float | None = None
    season_cents: tuple[int | None, int | None] = (None, None)

    @property
    def spike(self) -> bool:
        """Whether the current price is far above the usual one."""
        return self.current_cents is not None and self.current_cents > SPIKE * self.usual_cents


def candidates(terms: Terms) -> tuple[Kind, ...]:
    """List the histories that can price a condition, best first."""
    if not terms.condition.used:
        return (Kind.BUY_BOX_NEW, Kind.NEW_FBA, Kind.NEW)
    return (Kind.BUY_BOX_USED, GRADE_SERIES[terms.condition], Kind.USED)


def sell_price(product: ProductFacts, terms: Terms, as_of: datetime) -> SellPrice | None:
    """Take the least of the usual price, the current one and the ceiling.

    Returns:
        None when no history covers a fifth of the window and no 90 day average is known.
    """
    window = [history.last_days(as_of, terms.strategy.window_days)]
    for kind in candidates(terms):
        series = product.series.get(kind)
        if series is None:
            continue
        held = history.hold(series, window)
        if held.coverage >= LEAST_COVERAGE:
            return _from_history(product, terms, as_of, kind, held)
    for kind in candidates(terms):
        average = product.statistics.avg90.get(kind)
        if average is not None:
            return _priced(product, terms, as_of, kind, usual=average)
    return None


def _from_history(
    product: ProductFacts, terms: Terms, as_of: datetime, kind: Kind, held: Holding
) -> SellPrice:
    """Price from a history that covers enough; a textbook out of season by those months."""
    series = product.series[kind]
    recent = history.hold(series, [history.last_days(as_of, VOLATILITY_DAYS)])
    scored, inside, outside = held, None, None
    if terms.strategy.textbook:
        inside, outside = (
            _enough(history.hold(series, windows))
            for windows in history.season_windows(as_of, terms.strategy.window_days)
        )
        if outside is not None and not history.in_season(as_of):
            scored = outside
    seasons = (inside, outside)
    price = _priced(product, terms, as_of, kind, usual=scored.median, held=scored, seasons=seasons)
    return replace(
        price,
        coverage=held.coverage,
        points=held.points,
        variation=held.variation,
        volatility=recent.spread if recent.present else None,
    )


def _priced(
    product: ProductFacts,
    terms: Terms,
    as_of: datetime,
    kind: Kind,
    *,
    usual: int,
    held: Holding | None = None,
    seasons: Sequence[Holding | None] = (None, None),
) -> SellPrice:
    """Bound a usual price by the current one and by the ceiling."""
    current = _current(product, kind, as_of)
    ceiling = _ceiling(product, terms)
    bounds = [(usual, "MEDIAN" if held else "AVERAGE"), (current, "CURRENT"), (ceiling, "CEILING")]
    price, basis = min(((cents, name) for cents, name in bounds if cents), key=lambda b: b[0])
    low = high = None
    if held is not None:
        low = min(price, held.quantile(1, 4))
        high = max(price, min(held.quantile(3, 4), ceiling or held.quantile(3, 4)))
    inside, outside = (_capped(season, ceiling) for season in seasons)
    return SellPrice(
        cents=price,
        basis=basis,
        series=kind,
        usual_cents=usual,
        current_cents=current,
        ceiling_cents=ceiling,
        low_cents=low,
        high_cents=high,
        season_cents=(inside, outside),
    )


def _current(product: ProductFacts, kind: Kind, as_of: datetime) -> int | None:
    """Read the current price: as Keepa states it, else the last one recorded."""
    if product.statistics.current:
        return product.statistics.current.get(kind)
    series = product.series.get(kind)
    return None if series is None else history.current(series, as_of)


def _ceiling(product: ProductFacts, terms: Terms) -> int | None:
    """Give nine tenths of what a buyer could pay Amazon, or for a new copy of a used one."""
    statistics = product.statistics
    if terms.condition.used:
        prices = [statistics.current.get(Kind.NEW)]
    else:
        prices = [
            statistics.current.get(Kind.AMAZON),
            statistics.avg180.get(Kind.AMAZON),
            statistics.avg365.get(Kind.AMAZON),
        ]
    present = [price for price in prices if price]
    return cents(CEILING * min(present)) if present else None


def _capped(held: Holding | None, ceiling: int | None) -> int | None:
    if held is None:
        return None
    return min(held.median, ceiling) if ceiling else held.median


def _enough(held: Holding) -> Holding | None:
    return held if held.coverage >= LEAST_COVERAGE else None
