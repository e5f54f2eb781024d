"""When a stored product is good enough for what is asked now."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import msgspec

from services.keepa_gateway.domain.product import KeepaProduct
from services.keepa_gateway.domain.products_request import ProductOptions

DEFAULT_MAX_AGE = timedelta(hours=24)
FAILED_LOOK_HOLDS = timedelta(hours=1)
"""For how long nobody pays again to learn that Keepa could not read a product's offers."""

_EVER = datetime(2000, 1, 1, tzinfo=UTC)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One product as it was fetched; a struct, as a hundred of them are made for one answer.

    Attributes:
        options: What was asked for then; empty of a product Keepa did not know.
        fetched_at: When Keepa answered.
        known: Whether Keepa knew it.
        product: The typed product, packed for the wire; empty when it was not read.
        raw: The product as Keepa sent it; empty when it was not read.
        unread: Its offers were asked for, and Keepa could not read them; it holds the rest.
    """

    domain: int
    asin: str
    options: ProductOptions
    fetched_at: datetime
    known: bool
    product: bytes
    raw: bytes = b""
    codes: frozenset[str] = frozenset()
    unread: bool = False


def unread(asked: ProductOptions, product: KeepaProduct) -> bool:
    """Whether an answer lacks the offers that were asked for."""
    return bool(asked.offers) and product.known and not product.offers_successful


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
    snapshots: Collection[Snapshot],
    asked: ProductOptions,
    *,
    not_before: datetime,
    now: datetime | None = None,
) -> Snapshot | None:
    """The newest stored product that is good enough and young enough.

    A product that Keepa did not know answers any question about it. One whose offers could not be
    read answers for everything else, and never stands before offers that were paid for. With
    ``now`` it also answers for the offers, that they could not be read, while that was just tried.
    """
    found: Snapshot | None = None
    for one in snapshots:
        newer = one.fetched_at >= not_before if found is None else one.fetched_at > found.fetched_at
        if newer and (not one.known or covers(_held(one), asked)):
            found = one
    if found is None and now is not None:
        found = _tried(snapshots, asked, not_before=max(not_before, now - FAILED_LOOK_HOLDS))
    return found


def repeated(
    snapshots: Collection[Snapshot], asked: ProductOptions, *, since: datetime
) -> Snapshot | None:
    """What a question that was sent at ``since`` was answered, or what took its place.

    An answer without the offers that were asked for stays one: older offers would pass for new.
    """
    found = best(snapshots, asked, not_before=since)
    if found is not None:
        return found
    others = (_tried(snapshots, asked, not_before=_EVER), best(snapshots, asked, not_before=_EVER))
    return max((one for one in others if one), key=lambda one: one.fetched_at, default=None)


def _held(one: Snapshot) -> ProductOptions:
    return one.options.without_offers() if one.unread else one.options


def _tried(
    snapshots: Collection[Snapshot], asked: ProductOptions, *, not_before: datetime
) -> Snapshot | None:
    """The newest failed look that was a look at all that is asked for."""
    looks = (
        one
        for one in snapshots
        if one.unread and one.fetched_at >= not_before and covers(one.options, asked)
    )
    return max(looks, key=lambda one: one.fetched_at, default=None)
