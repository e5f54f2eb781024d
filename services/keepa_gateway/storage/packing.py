"""Products as they are stored: the contract's message as it is sent, Keepa's JSON with zstd."""

from collections.abc import Iterator

import zstandard
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis import telemetry
from services.keepa_gateway.domain.markets import MARKETS
from services.keepa_gateway.domain.product import KeepaProduct, Offer, Statistics, present
from services.keepa_gateway.domain.product import statistics as statistics_rows
from services.keepa_gateway.domain.series import all_series, seconds

_IMAGES = "https://m.media-amazon.com/images/I/"
_LEVEL = 3
# What one stored product may grow to; the largest seen is 1.3 MB of JSON.
_MOST_BYTES = 64 << 20
_BASIS_POINTS = 100
_LAST_TYPE = 5
_LAST_AVAILABILITY = 4
_LAST_CONDITION = 10
_log = telemetry.get_logger(__name__)


def compress(data: bytes) -> bytes:
    """Make small; zstd at level 3 is ten times faster than gzip here and as small."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(data)


def expand(data: bytes) -> bytes:
    """Undo `compress`."""
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=_MOST_BYTES)


def pack(product: KeepaProduct) -> bytes:
    """Build the contract's message of a product and serialise it."""
    return message(product).SerializeToString()


def message(product: KeepaProduct) -> pb.Product:
    """Translate a product into the contract's words; what Keepa has not is absent."""
    built = pb.Product(
        asin=product.asin,
        domain=pb.Domain.ValueType(product.domain_id if product.domain_id in MARKETS else 0),
        type=_type(product.product_type),
        title=product.title or "",
        authors=_authors(product),
        brand=product.brand or "",
        manufacturer=product.manufacturer or "",
        binding=product.binding or "",
        product_group=product.product_group or "",
        page_count=max(product.number_of_pages or 0, 0),
        publication_date=_date(product.publication_date),
        eans=product.ean_list or (),
        upcs=product.upc_list or (),
        root_category_id=max(product.root_category or 0, 0),
        category_ids=product.categories or (),
        parent_asin=product.parent_asin or "",
        image_url=_image(product),
        dimensions=_dimensions(product),
        fees=_fees(product),
        flags=_flags(product),
        amazon_availability=_availability(product.availability_amazon),
        monthly_sold_count=present(product.monthly_sold),
        offers_fetched=product.offers_successful,
        series=_histories(product),
        update_time=_instant(product.last_update),
        ebay_update_time=_instant(product.last_ebay_update),
        tracking_start_time=_instant(product.tracking_since),
        currency_code=MARKETS[product.domain_id].currency if product.domain_id in MARKETS else "",
    )
    for node in product.category_tree or ():
        built.category_path.add(id=node.category_id, name=node.name or "")
    if product.stats is not None:
        built.statistics.CopyFrom(_statistics(product.stats))
    live = set(product.live_offers_order or ())
    built.offers.extend(
        _offer(offer, live=place in live) for place, offer in enumerate(product.offers or ())
    )
    return built


def _type(number: int) -> pb.ProductType.ValueType:
    """Keepa counts from 0; the contract's 0 is "not known"."""
    return pb.ProductType.ValueType(number + 1 if 0 <= number <= _LAST_TYPE else 0)


def _availability(number: int | None) -> pb.AmazonAvailability.ValueType:
    """Keepa counts from -1; the contract's 0 is "not known"."""
    known = number is not None and -1 <= number <= _LAST_AVAILABILITY
    return pb.AmazonAvailability.ValueType((number or 0) + 2 if known else 0)


def _authors(product: KeepaProduct) -> list[str]:
    """The listed author field, or who contributed as an author."""
    if product.author:
        return [product.author]
    contributors = product.contributors or ()
    return [entry[0] for entry in contributors if entry and "uthor" in "".join(entry[1:])]


def _date(number: int | None) -> str:
    """Turn YYYY, YYYYMM or YYYYMMDD into the parts of an ISO date that are known."""
    text = str(number or 0)
    return {4: text, 6: f"{text[:4]}-{text[4:]}", 8: f"{text[:4]}-{text[4:6]}-{text[6:]}"}.get(
        len(text) if (number or 0) > 0 else 0, ""
    )


def _image(product: KeepaProduct) -> str:
    """The main image: an object since 2026, before that a list in one string."""
    name = next((image.l or image.m for image in product.images or ()), None)
    name = name or (product.images_csv or "").partition(",")[0]
    return _IMAGES + name if name else ""


def _instant(minute: int | None) -> Timestamp | None:
    return Timestamp(seconds=seconds(minute)) if minute is not None and minute > 0 else None


def _dimensions(product: KeepaProduct) -> pb.Dimensions:
    return pb.Dimensions(
        package_length_mm=max(product.package_length or 0, 0),
        package_width_mm=max(product.package_width or 0, 0),
        package_height_mm=max(product.package_height or 0, 0),
        package_weight_g=max(product.package_weight or 0, 0),
        item_length_mm=max(product.item_length or 0, 0),
        item_width_mm=max(product.item_width or 0, 0),
        item_height_mm=max(product.item_height or 0, 0),
        item_weight_g=max(product.item_weight or 0, 0),
    )


def _fees(product: KeepaProduct) -> pb.Fees:
    percentage = product.referral_fee_percentage
    if percentage is None and product.referral_fee_percent is not None:
        percentage = float(product.referral_fee_percent)
    known = percentage is not None and percentage >= 0
    return pb.Fees(
        pick_and_pack_cents=present(
            product.fba_fees.pick_and_pack_fee if product.fba_fees else None
        ),
        referral_basis_points=round((percentage or 0) * _BASIS_POINTS) if known else None,
        variable_closing_cents=present(product.variable_closing_fee),
    )


def _flags(product: KeepaProduct) -> pb.ProductFlags:
    return pb.ProductFlags(
        adult=bool(product.is_adult_product),
        hazardous=bool(product.hazardous_materials),
        redirect=bool(product.is_redirect_asin),
        new_price_is_map=bool(product.new_price_is_map),
        trade_in_eligible=bool(product.is_eligible_for_trade_in),
    )


def _histories(product: KeepaProduct) -> Iterator[pb.Series]:
    """Give every history but one whose numbers are wider than Keepa's own, which have 32 bits."""
    for one in all_series(product.csv):
        try:
            yield pb.Series(
                name=one.name, times=one.times, values=one.values, shipping=one.shippings
            )
        except ValueError:
            _log.warning("history unreadable", asin=product.asin, series=one.name)


def _statistics(stats: Statistics) -> pb.Statistics:
    rows = (
        pb.SeriesStatistics(
            name=row.name,
            current=row.current,
            average_30d=row.average_30d,
            average_90d=row.average_90d,
            average_180d=row.average_180d,
            average_365d=row.average_365d,
            minimum=row.minimum,
            maximum=row.maximum,
            out_of_stock_percent_30d=row.out_of_stock_30d,
            out_of_stock_percent_90d=row.out_of_stock_90d,
        )
        for row in statistics_rows(stats)
    )
    return pb.Statistics(
        series=rows,
        sales_rank_drop_count_30d=present(stats.sales_rank_drops30),
        sales_rank_drop_count_90d=present(stats.sales_rank_drops90),
        sales_rank_drop_count_180d=present(stats.sales_rank_drops180),
        sales_rank_drop_count_365d=present(stats.sales_rank_drops365),
        offer_count=present(stats.total_offer_count),
        fba_offer_count=present(stats.offer_count_fba),
        fbm_offer_count=present(stats.offer_count_fbm),
        buy_box_cents=present(stats.buy_box_price),
        buy_box_shipping_cents=present(stats.buy_box_shipping),
        buy_box_is_amazon=stats.buy_box_is_amazon,
        buy_box_seller_id=stats.buy_box_seller_id or "",
    )


def _offer(offer: Offer, *, live: bool) -> pb.Offer:
    """Give an offer by its newest price; Keepa's history of it is flat triples."""
    csv, stock = offer.offer_csv or (), offer.stock_csv or ()
    condition = offer.condition or 0
    return pb.Offer(
        id=offer.offer_id,
        seller_id=offer.seller_id or "",
        condition=pb.OfferCondition.ValueType(
            condition if 0 <= condition <= _LAST_CONDITION else 0
        ),
        price_cents=present(csv[-2]) if len(csv) >= 3 else None,
        shipping_cents=present(csv[-1]) if len(csv) >= 3 else None,
        last_seen_time=_instant(offer.last_seen),
        live=live,
        fulfilled_by_amazon=bool(offer.is_fba),
        sold_by_amazon=bool(offer.is_amazon),
        prime=bool(offer.is_prime),
        warehouse_deal=bool(offer.is_warehouse_deal),
        scam=bool(offer.is_scam),
        shippable=bool(offer.is_shippable),
        stock_count=present(stock[-1]) if stock else None,
    )
