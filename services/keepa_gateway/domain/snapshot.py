"""When a stored product is good enough for what is asked now."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from services.keepa_gateway.domain.products_request import ProductOptions

DEFAULT_MAX_AGE = timedelta(hours=24)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One product as it was fetched; a struct, as a hundred of them are made for one answer.

    Attributes:
        options: What was asked for then; empty of a product Keepa did not know.
        fetched_at: When Keepa answered.
        known: Whether Keepa knew it.
        product: The typed product, packed for the wire; empty when it was not read.
        raw: The product as Keepa sent it; empty when it was not read.
    """

    domain: int
    asin: str
    options: ProductOptions
    fetched_at: datetime
    known: bool
    product: bytes
    raw: bytes = b""
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
    found: Snapshot | None = None
    for one in snapshots:
        newer = one.fetched_at >= not_before if found is None else one.fetched_at > found.fetched_at
        if newer and (not one.known or covers(one.options, asked)):
            found = one
    return found
