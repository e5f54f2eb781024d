"""The bodies of list answers."""

import msgspec

from services.keepa_gateway.domain.numbers import Id, Mean, Number

NOTHING = msgspec.Raw(b"")


class FinderBody(msgspec.Struct, rename="camel"):
    """An answer of the Product Finder."""

    asin_list: list[str] | None = None
    total_results: Id | None = None
    search_insights: msgspec.Raw = NOTHING


class BestSellersList(msgspec.Struct, rename="camel"):
    """The ASINs of a category in the order of their rank."""

    asin_list: list[str] | None = None
    last_update: Number | None = None


class CategoryObject(msgspec.Struct, rename="camel"):
    """A category as Keepa describes it; -1 is none."""

    cat_id: Id = 0
    domain_id: Number = 0
    name: str | None = None
    context_free_name: str | None = None
    website_display_group: str | None = None
    children: list[Id] | None = None
    parent: Id | None = None
    highest_rank: Mean | None = None
    lowest_rank: Mean | None = None
    product_count: Mean | None = None
    is_browse_node: bool | None = None
    avg_buy_box: Mean | None = None
    avg_buy_box90: Mean | None = None
    avg_buy_box365: Mean | None = None
    avg_buy_box_deviation: Mean | None = None
    avg_review_count: Mean | None = None
    avg_rating: Mean | None = None
    is_fba_percent: Mean | None = msgspec.field(default=None, name="isFBAPercent")
    sold_by_amazon_percent: Mean | None = None
    has_coupon_percent: Mean | None = None
    avg_offer_count_new: Mean | None = None
    avg_offer_count_used: Mean | None = None
    seller_count: Mean | None = None
    brand_count: Mean | None = None
    top_brands: list[str] | None = None


class CategoriesBody(msgspec.Struct, rename="camel"):
    """An answer with categories by id, and their parents when asked for."""

    categories: dict[str, CategoryObject] | None = None
    category_parents: dict[str, CategoryObject] | None = None


class BestSellersBody(msgspec.Struct, rename="camel"):
    """An answer with best sellers, or without when Keepa has no list."""

    best_sellers_list: BestSellersList | None = None
