"""A product as Keepa sends it, typed where it matters and lenient everywhere else.

Unknown fields are ignored, every field may be missing or null, and a field whose type Keepa has
changed is dropped and named instead of losing the whole product.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from services.keepa_gateway.domain.bodies import BrokenBody
from services.keepa_gateway.domain.numbers import Id, Number, Percent, WholePercent
from services.keepa_gateway.domain.series import NAMES

PLACEHOLDER_TYPE = 4
# A product with more mistyped fields than this is not a product any more.
MOST_DROPPED = 20
_OF_OFFERS = frozenset({"offers", "liveOffersOrder"})
_PLACE = re.compile(r"at `\$\.([A-Za-z0-9_]+)")

Numbers = list[Number]
Extremes = list[Numbers | None]


class CategoryNode(msgspec.Struct, rename={"category_id": "catId"}):
    """One step of a category path."""

    category_id: Id = 0
    name: str | None = None


class FbaFees(msgspec.Struct, rename="camel"):
    """Amazon's fees for storing and sending."""

    pick_and_pack_fee: Number | None = None
    last_update: Number | None = None


class Image(msgspec.Struct):
    """The file names of one image: large and medium."""

    l: str | None = None  # noqa: E741 - Keepa's name
    m: str | None = None


class Statistics(msgspec.Struct, rename="camel"):
    """Values over a window, one per place of `csv`; -1 is none, -2 was not asked for."""

    current: Numbers | None = None
    avg30: Numbers | None = None
    avg90: Numbers | None = None
    avg180: Numbers | None = None
    avg365: Numbers | None = None
    min: Extremes | None = None
    max: Extremes | None = None
    out_of_stock_percentage30: Numbers | None = None
    out_of_stock_percentage90: Numbers | None = None
    sales_rank_drops30: Number | None = None
    sales_rank_drops90: Number | None = None
    sales_rank_drops180: Number | None = None
    sales_rank_drops365: Number | None = None
    total_offer_count: Number | None = None
    offer_count_fba: Number | None = msgspec.field(default=None, name="offerCountFBA")
    offer_count_fbm: Number | None = msgspec.field(default=None, name="offerCountFBM")
    buy_box_price: Number | None = None
    buy_box_shipping: Number | None = None
    buy_box_is_amazon: bool | None = None
    buy_box_seller_id: str | None = None


class Offer(msgspec.Struct, rename="camel"):
    """One offer, live or former; whether it is live stands in the product's order."""

    offer_id: Number = 0
    seller_id: str | None = None
    condition: Number | None = None
    offer_csv: Numbers | None = msgspec.field(default=None, name="offerCSV")
    stock_csv: Numbers | None = msgspec.field(default=None, name="stockCSV")
    last_seen: Number | None = None
    is_fba: bool | None = msgspec.field(default=None, name="isFBA")
    is_amazon: bool | None = None
    is_prime: bool | None = None
    is_warehouse_deal: bool | None = None
    is_scam: bool | None = None
    is_shippable: bool | None = None


class KeepaProduct(msgspec.Struct, rename="camel"):
    """One entry of `products`."""

    asin: str
    domain_id: Number = 0
    product_type: Number = 0
    title: str | None = None
    author: str | None = None
    contributors: list[list[str]] | None = None
    brand: str | None = None
    manufacturer: str | None = None
    binding: str | None = None
    product_group: str | None = None
    number_of_pages: Number | None = None
    publication_date: Number | None = None
    ean_list: list[str] | None = None
    upc_list: list[str] | None = None
    gtin_list: list[str] | None = None
    root_category: Id | None = None
    categories: list[Id] | None = None
    category_tree: list[CategoryNode] | None = None
    parent_asin: str | None = None
    images: list[Image] | None = None
    images_csv: str | None = msgspec.field(default=None, name="imagesCSV")
    package_length: Number | None = None
    package_width: Number | None = None
    package_height: Number | None = None
    package_weight: Number | None = None
    item_length: Number | None = None
    item_width: Number | None = None
    item_height: Number | None = None
    item_weight: Number | None = None
    fba_fees: FbaFees | None = None
    referral_fee_percentage: Percent | None = None
    referral_fee_percent: WholePercent | None = None
    variable_closing_fee: Number | None = None
    is_adult_product: bool | None = None
    hazardous_materials: Any = None
    is_redirect_asin: bool | None = msgspec.field(default=None, name="isRedirectASIN")
    new_price_is_map: bool | None = msgspec.field(default=None, name="newPriceIsMAP")
    is_eligible_for_trade_in: bool | None = None
    availability_amazon: Number | None = None
    monthly_sold: Number | None = None
    csv: list[list[int] | None] | None = None
    stats: Statistics | None = None
    offers: list[Offer] | None = None
    live_offers_order: Numbers | None = None
    offers_successful: bool | None = None
    last_update: Number | None = None
    last_ebay_update: Number | None = None
    tracking_since: Number | None = None

    @property
    def known(self) -> bool:
        """Whether Keepa knows the product; otherwise it sends a placeholder full of nulls."""
        return self.product_type != PLACEHOLDER_TYPE

    @property
    def codes(self) -> frozenset[str]:
        """Every code it is known by; what is no code is none."""
        listed = (self.ean_list, self.upc_list, self.gtin_list)
        return frozenset(code for codes in listed for code in codes or () if code.isalnum())


@dataclass(frozen=True, slots=True)
class Decoded:
    """A product and the top-level fields that had to be left out of it."""

    product: KeepaProduct
    dropped: tuple[str, ...] = ()


def decode(raw: bytes) -> Decoded:
    """Read one product; a field of an unexpected type is left out and named.

    Raises:
        BrokenBody: It is no JSON object with an ASIN.
    """
    try:
        read = Decoded(msgspec.json.decode(raw, type=KeepaProduct))
    except msgspec.ValidationError:
        read = _decode_leniently(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BrokenBody from error
    if not read.product.asin.isalnum():
        raise BrokenBody
    return read


def _decode_leniently(raw: bytes) -> Decoded:
    try:
        fields = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BrokenBody from error
    dropped: list[str] = []
    while len(dropped) < MOST_DROPPED:
        try:
            return Decoded(_told(msgspec.convert(fields, KeepaProduct), dropped), tuple(dropped))
        except msgspec.ValidationError as error:
            place = _PLACE.search(str(error))
            if place is None or place[1] == "asin" or fields.pop(place[1], None) is None:
                raise BrokenBody from error
            dropped.append(place[1])
    raise BrokenBody


def _told(product: KeepaProduct, dropped: Collection[str]) -> KeepaProduct:
    """Say of offers that had to be left out that they were not read: they are not none."""
    if not _OF_OFFERS.isdisjoint(dropped):
        product.offers_successful = False
    return product


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesStatistics:
    """The statistics of one series; nothing where Keepa has no value.

    Attributes:
        out_of_stock_30d: Percent of the last 30 days without a value.
    """

    name: str
    current: int | None
    average_30d: int | None
    average_90d: int | None
    average_180d: int | None
    average_365d: int | None
    minimum: int | None
    maximum: int | None
    out_of_stock_30d: int | None
    out_of_stock_90d: int | None

    @property
    def empty(self) -> bool:
        """Whether nothing at all is known of the series."""
        held = (
            self.current,
            self.average_30d,
            self.average_90d,
            self.average_180d,
            self.average_365d,
            self.minimum,
            self.maximum,
        )
        return all(value is None for value in held)


def statistics(stats: Statistics) -> list[SeriesStatistics]:
    """Turn Keepa's arrays by place into rows by series; series without any value are left out."""
    places = max((len(values or ()) for values in (stats.current, stats.avg90)), default=0)
    rows = (_row(stats, place) for place in range(places))
    return [row for row in rows if not row.empty]


def _row(stats: Statistics, place: int) -> SeriesStatistics:
    return SeriesStatistics(
        name=NAMES[place] if place < len(NAMES) else f"SERIES_{place}",
        current=_at(stats.current, place),
        average_30d=_at(stats.avg30, place),
        average_90d=_at(stats.avg90, place),
        average_180d=_at(stats.avg180, place),
        average_365d=_at(stats.avg365, place),
        minimum=_extreme(stats.min, place),
        maximum=_extreme(stats.max, place),
        out_of_stock_30d=_at(stats.out_of_stock_percentage30, place),
        out_of_stock_90d=_at(stats.out_of_stock_percentage90, place),
    )


def present(value: int | None) -> int | None:
    """Keepa's -1 (none) and -2 (not asked for) as nothing."""
    return None if value is None or value < 0 else value


def _at(values: Sequence[int] | None, place: int) -> int | None:
    return present(values[place]) if values is not None and place < len(values) else None


def _extreme(values: Sequence[Sequence[int] | None] | None, place: int) -> int | None:
    """Extremes are pairs of minute and value."""
    pair = values[place] if values is not None and place < len(values) else None
    return present(pair[1]) if pair is not None and len(pair) > 1 else None
