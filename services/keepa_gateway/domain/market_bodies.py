"""The bodies of answers about deals and sellers; what is not named here is not even stored.

Addresses, tax numbers and single feedbacks of sellers are personal data and are left out.
"""

import msgspec

from services.keepa_gateway.domain.numbers import Byte, Id, Mean, Number

Row = list[Number]


class DealObject(msgspec.Struct, rename="camel"):
    """A deal; arrays are by series, and of the double ones the first place is the interval."""

    asin: str
    title: str | None = None
    root_cat: Id | None = None
    categories: list[Id] | None = None
    image: list[Byte] | None = None
    current: Row | None = None
    current_since: Row | None = None
    avg: list[Row] | None = None
    delta: list[Row] | None = None
    delta_percent: list[Row] | None = None
    delta_last: Row | None = None
    creation_date: Number | None = None
    last_update: Number | None = None
    lightning_start: Number | None = None
    lightning_end: Number | None = None
    warehouse_condition: Number | None = None
    warehouse_condition_comment: str | None = None
    sales_rank_drops30: Number | None = None
    sales_rank_drops90: Number | None = None
    sales_rank_drops180: Number | None = None
    sales_rank_drops365: Number | None = None
    back_in_stock: list[bool] | None = None


class Deals(msgspec.Struct, rename="camel"):
    """A page of deals, and how the whole selection falls into categories."""

    dr: list[DealObject] | None = None
    category_ids: list[Id] | None = None
    category_names: list[str] | None = None
    category_count: Row | None = None


class DealsBody(msgspec.Struct):
    """An answer with deals."""

    deals: Deals | None = None


class SellerStatistics(msgspec.Struct, rename="camel"):
    """What a seller sells in a category or of a brand."""

    cat_id: Id | None = None
    brand: str | None = None
    product_count: Number | None = None
    avg30_sales_rank: Number | None = None
    product_count_with_amazon_offer: Number | None = None


class Competitor(msgspec.Struct, rename="camel"):
    """Another seller of the same products."""

    seller_id: str | None = None
    percent: Mean | None = None


class SellerObject(msgspec.Struct, rename="camel"):
    """A seller."""

    seller_id: str | None = None
    seller_name: str | None = None
    domain_id: Number | None = None
    tracked_since: Number | None = None
    last_update: Number | None = None
    csv: list[Row | None] | None = None
    current_rating: Number | None = None
    current_rating_count: Number | None = None
    ratings_last30_days: Number | None = None
    has_fba: bool | None = msgspec.field(default=None, name="hasFBA")
    ships_from_china: bool | None = None
    is_scammer: bool | None = None
    total_storefront_asins: Row | None = None
    asin_list: list[str] | None = None
    asin_list_last_seen: Row | None = None
    seller_category_statistics: list[SellerStatistics] | None = None
    seller_brand_statistics: list[SellerStatistics] | None = None
    competitors: list[Competitor] | None = None
    avg_buy_box_competitors: Mean | None = None
    buy_box_new_ownership_rate: Mean | None = None
    buy_box_used_ownership_rate: Mean | None = None


class SellersBody(msgspec.Struct):
    """An answer with sellers by id; those Keepa does not know are missing."""

    sellers: dict[str, SellerObject] | None = None


class SellerIdsBody(msgspec.Struct, rename="camel"):
    """An answer with ids of sellers."""

    seller_id_list: list[str] | None = None
    total_results: Id | None = None


class LightningDealObject(msgspec.Struct, rename="camel"):
    """A lightning deal."""

    asin: str | None = None
    domain_id: Number | None = None
    last_update: Number | None = None
    title: str | None = None
    seller_id: str | None = None
    deal_id: str | None = None
    deal_price: Number | None = None
    current_price: Number | None = None
    image: str | None = None
    rating: Number | None = None
    total_reviews: Number | None = None
    deal_state: str | None = None
    start_time: Number | None = None
    end_time: Number | None = None
    percent_claimed: Number | None = None
    percent_off: Number | None = None
    variation: list[dict[str, str]] | None = None


class LightningDealsBody(msgspec.Struct, rename="camel"):
    """An answer with lightning deals."""

    lightning_deals: list[LightningDealObject] | None = None
