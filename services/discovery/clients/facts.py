"""The gateway's product message as the facts that scoring reads."""

from bisect import bisect_right
from datetime import UTC, datetime
from decimal import Decimal

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from services.discovery.domain.product import (
    SERIES_NAMES,
    Kind,
    Offer,
    ProductFacts,
    Series,
    Statistics,
)

KINDS = {name: kind for kind, name in SERIES_NAMES.items()}
READ_SECONDS = 400 * 86_400
"""How far back histories are read from a product's update: the longest window is 365 days."""

COUNTS = frozenset({Kind.COUNT_NEW, Kind.COUNT_USED, Kind.COUNT_NEW_FBA})
MEDIA_ROOTS = frozenset({283155, 5174, 2625373011, 229534, 468642})
"""Books, music, film, software and games of amazon.com: where the closing fee is charged."""

MEDIA_GROUPS = frozenset(
    {"book", "books", "music", "dvd", "video", "software", "video games", "blu-ray"}
)
AVAILABILITY = {
    pb.AMAZON_AVAILABILITY_NONE: -1,
    pb.AMAZON_AVAILABILITY_NOW: 0,
    pb.AMAZON_AVAILABILITY_PREORDER: 1,
    pb.AMAZON_AVAILABILITY_UNKNOWN: 2,
    pb.AMAZON_AVAILABILITY_BACK_ORDER: 3,
    pb.AMAZON_AVAILABILITY_DELAYED: 4,
}


def facts(product: pb.Product) -> ProductFacts:
    """Read a product."""
    box, fees = product.dimensions, product.fees
    sides = (box.package_length_mm, box.package_width_mm, box.package_height_mm)
    basis_points = fees.referral_basis_points if fees.HasField("referral_basis_points") else None
    sold = product.monthly_sold_count if product.HasField("monthly_sold_count") else None
    return ProductFacts(
        asin=product.asin,
        title=product.title,
        product_type=max(0, product.type - 1),
        media=_media(product),
        hardcover="hardcover" in product.binding.lower(),
        adult=product.flags.adult,
        hazardous=product.flags.hazardous,
        redirect=product.flags.redirect,
        weight_grams=box.package_weight_g or None,
        size_mm=sides if all(sides) else None,
        availability_amazon=AVAILABILITY.get(product.amazon_availability),
        monthly_sold=sold,
        referral_percent=None if basis_points is None else Decimal(basis_points) / 100,
        closing_cents=(
            fees.variable_closing_cents if fees.HasField("variable_closing_cents") else None
        ),
        pick_and_pack_cents=(
            fees.pick_and_pack_cents if fees.HasField("pick_and_pack_cents") else None
        ),
        updated_at=_instant(product, "update_time"),
        ebay_updated_at=_instant(product, "ebay_update_time"),
        statistics=_statistics(product.statistics),
        series=_series(product),
        offers=_offers(product),
        offers_failed=product.HasField("offers_fetched") and not product.offers_fetched,
    )


def _media(product: pb.Product) -> bool:
    if product.root_category_id in MEDIA_ROOTS:
        return True
    return product.product_group.lower() in MEDIA_GROUPS


def _series(product: pb.Product) -> dict[int, Series]:
    """Read the histories that scoring knows; a price is what the buyer pays, shipping included.

    What is older than any window that is looked at is left where it is, but for the value that
    held when the oldest one began.
    """
    oldest = product.update_time.seconds - READ_SECONDS
    found = {}
    for one in product.series:
        kind = KINDS.get(one.name)
        if kind is None:
            continue
        first = max(0, bisect_right(one.times, oldest) - 1)
        values = one.values[first:]
        if one.shipping:
            pairs = zip(values, one.shipping[first:], strict=True)
            values = [price + max(0, shipping) for price, shipping in pairs]
        found[int(kind)] = Series(one.times[first:], values)
    return found


def _statistics(statistics: pb.Statistics) -> Statistics:
    current: dict[int, int] = {}
    averages: dict[str, dict[int, int]] = {"30": {}, "90": {}, "180": {}, "365": {}}
    absent: dict[int, int] = {}
    for one in statistics.series:
        kind = KINDS.get(one.name)
        if kind is None:
            continue
        if one.HasField("current") and (one.current > 0 or kind in COUNTS):
            current[kind] = one.current
        for days, known in averages.items():
            average = getattr(one, f"average_{days}d")
            if average > 0:
                known[kind] = average
        if one.HasField("out_of_stock_percent_90d"):
            absent[kind] = one.out_of_stock_percent_90d
    return Statistics(
        current=current,
        avg30=averages["30"],
        avg90=averages["90"],
        avg180=averages["180"],
        avg365=averages["365"],
        out_of_stock_90=absent,
        drops_30=_count(statistics, "sales_rank_drop_count_30d"),
        drops_90=_count(statistics, "sales_rank_drop_count_90d"),
        drops_180=_count(statistics, "sales_rank_drop_count_180d"),
        fba_offers=_count(statistics, "fba_offer_count"),
    )


def _offers(product: pb.Product) -> tuple[Offer, ...] | None:
    """Read the live offers; None when none were asked for or fetching them failed."""
    if not product.offers_fetched:
        return None
    return tuple(
        Offer(
            seller_id=offer.seller_id,
            condition=offer.condition,
            price_cents=offer.price_cents,
            shipping_cents=offer.shipping_cents if offer.HasField("shipping_cents") else None,
            seen_at=offer.last_seen_time.ToDatetime(tzinfo=UTC),
            fba=offer.fulfilled_by_amazon,
            amazon=offer.sold_by_amazon,
            warehouse_deal=offer.warehouse_deal,
            scam=offer.scam,
            id=offer.id,
            stock=offer.stock_count if offer.HasField("stock_count") else None,
        )
        for offer in product.offers
        if offer.live and offer.HasField("price_cents")
    )


def _count(statistics: pb.Statistics, name: str) -> int | None:
    return int(getattr(statistics, name)) if statistics.HasField(name) else None  # type: ignore[arg-type]


def _instant(product: pb.Product, name: str) -> datetime | None:
    if not product.HasField(name):  # type: ignore[arg-type]
        return None
    instant: Timestamp = getattr(product, name)
    return instant.ToDatetime(tzinfo=UTC)
