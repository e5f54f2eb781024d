"""When a stored product is good enough for what is asked now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.keepa_gateway.domain.products_request import ProductOptions

DEFAULT_MAX_AGE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One product as it was fetched.

    Attributes:
        options: What was asked for then; empty of a product Keepa did not know.
        fetched_at: When Keepa answered.
        known: Whether Keepa knew it.
        product: The typed product, packed for the wire.
        raw: The product as Keepa sent it.
    """

    domain: int
    asin: str
    options: ProductOptions
    fetched_at: datetime
    known: bool
    product: bytes
    raw: bytes
    codes: frozenset[str] = frozenset()


def covers(stored: ProductOptions, asked: ProductOptions) -> bool:
    """Whether what was fetched holds all that is asked for."""
    return (
        _history_covers(stored, asked)
        and asked.stats_days in (0, stored.stats_days)
        and stored.offers >= asked.offers
        and (not asked.offers or stored.only_live_offers <= asked.only_live_offers)
        and stored.stock >= asked.stock
        and (not asked.buybox or stored.buybox or stored.offers > 0)
        and (not asked.rating or stored.rating or stored.offers > 0)
        and stored.videos >= asked.videos
        and stored.aplus >= asked.aplus
        and stored.historical_variations >= asked.historical_variations
    )


def _history_covers(stored: ProductOptions, asked: ProductOptions) -> bool:
    if not asked.history:
        return True
    if not stored.history:
        return False
    return stored.history_days == 0 or 0 < asked.history_days <= stored.history_days


def best(
    snapshots: Iterable[Snapshot], asked: ProductOptions, *, not_before: datetime
) -> Snapshot | None:
    """The newest stored product that is good enough and young enough.

    A product that Keepa did not know answers any question about it.
    """
    fitting = (
        snapshot
        for snapshot in snapshots
        if snapshot.fetched_at >= not_before
        and (not snapshot.known or covers(snapshot.options, asked))
    )
    return max(fitting, key=lambda snapshot: snapshot.fetched_at, default=None)
