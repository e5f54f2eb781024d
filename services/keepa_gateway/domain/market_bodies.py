"""The bodies of answers about deals and sellers; what is not named here is not even stored.

Addresses, tax numbers and single feedbacks of sellers are personal data and are left out.
"""

import msgspec

Row = list[int]


class DealObject(msgspec.Struct, rename="camel"):
    """A deal; arrays are by series, and of the double ones the first place is the interval."""

    asin: str
    title: str | None = None
    root_cat: int | None = None
    categories: Row | None = None
    image: Row | None = None
    current: Row | None = None
    current_since: Row | None = None
    avg: list[Row] | None = None
    delta: list[Row] | None = None
    delta_percent: list[Row] | None = None
    delta_last: Row | None = None
    creation_date: int | None = None
    last_update: int | None = None
    lightning_start: int | None = None
    lightning_end: int | None = None
    warehouse_condition: int | None = None
    warehouse_condition_comment: str | None = None
    sales_rank_drops30: int | None = None
    sales_rank_drops90: int | None = None
    sales_rank_drops180: int | None = None
    sales_rank_drops365: int | None = None
    back_in_stock: list[bool] | None = None


class Deals(msgspec.Struct, rename="camel"):
    """A page of deals, and how the whole selection falls into categories."""

    dr: list[DealObject] | None = None
    category_ids: Row | None = None
    category_names: list[str] | None = None
    category_count: Row | None = None


class DealsBody(msgspec.Struct):
    """An answer with deals."""

    deals: Deals | None = None


class SellerStatistics(msgspec.Struct, rename="camel"):
    """What a seller sells in a category or of a brand."""

    cat_id: int | None = None
    brand: str | None = None
    product_count: int | None = None
    avg30_sales_rank: int | None = None
    product_count_with_amazon_offer: int | None = None


class Competitor(msgspec.Struct, rename="camel"):
    """Another seller of the same products."""

    seller_id: str | None = None
    percent: float | None = None


class SellerObject(msgspec.Struct, rename="camel"):
    """A seller."""

    seller_id: str | None = None
    seller_name: str | None = None
    domain_id: int | None = None
    tracked_since: int | None = None
    last_update: int | None = None
    csv: list[Row | None] | None = None
    current_rating: int | None = None
    current_rating_count: int | None = None
    ratings_last30_days: int | None = None
    has_fba: bool | None = msgspec.field(default=None, name="hasFBA")
    ships_from_china: bool | None = None
    is_scammer: bool | None = None
    total_storefront_asins: Row | None = None
    asin_list: list[str] | None = None
    asin_list_last_seen: Row | None = None
    seller_category_statistics: list[SellerStatistics] | None = None
    seller_brand_statistics: list[SellerStatistics] | None = None
    competitors: list[Competitor] | None = None
    avg_buy_box_competitors: float | None = None
    buy_box_new_ownership_rate: float | None = None
    buy_box_used_ownership_rate: float | None = None


class SellersBody(msgspec.Struct):
    """An answer with sellers by id; those Keepa does not know are missing."""

    sellers: dict[str, SellerObject] | None = None


class SellerIdsBody(msgspec.Struct, rename="camel"):
    """An answer with ids of sellers."""

    seller_id_list: list[str] | None = None
    total_results: int | None = None


class LightningDealObject(msgspec.Struct, rename="camel"):
    """A lightning deal."""

    asin: str | None = None
    domain_id: int | None = None
    last_update: int | None = None
    title: str | None = None
    seller_id: str | None = None
    deal_id: str | None = None
    deal_price: int | None = None
    current_price: int | None = None
    image: str | None = None
    rating: int | None = None
    total_reviews: int | None = None
    deal_state: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    percent_claimed: int | None = None
    percent_off: int | None = None
    variation: list[dict[str, str]] | None = None


class LightningDealsBody(msgspec.Struct, rename="camel"):
    """An answer with lightning deals."""

    lightning_deals: list[LightningDealObject] | None = None
