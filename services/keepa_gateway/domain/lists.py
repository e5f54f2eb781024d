"""The bodies of list answers."""

import msgspec

NOTHING = msgspec.Raw(b"")


class FinderBody(msgspec.Struct, rename="camel"):
    """An answer of the Product Finder."""

    asin_list: list[str] | None = None
    total_results: int | None = None
    search_insights: msgspec.Raw = NOTHING


class BestSellersList(msgspec.Struct, rename="camel"):
    """The ASINs of a category in the order of their rank."""

    asin_list: list[str] | None = None
    last_update: int | None = None


class CategoryObject(msgspec.Struct, rename="camel"):
    """A category as Keepa describes it; -1 is none."""

    cat_id: int = 0
    domain_id: int = 0
    name: str | None = None
    context_free_name: str | None = None
    website_display_group: str | None = None
    children: list[int] | None = None
    parent: int | None = None
    highest_rank: float | None = None
    lowest_rank: float | None = None
    product_count: float | None = None
    is_browse_node: bool | None = None
    avg_buy_box: float | None = None
    avg_buy_box90: float | None = None
    avg_buy_box365: float | None = None
    avg_buy_box_deviation: float | None = None
    avg_review_count: float | None = None
    avg_rating: float | None = None
    is_fba_percent: float | None = msgspec.field(default=None, name="isFBAPercent")
    sold_by_amazon_percent: float | None = None
    has_coupon_percent: float | None = None
    avg_offer_count_new: float | None = None
    avg_offer_count_used: float | None = None
    seller_count: float | None = None
    brand_count: float | None = None
    top_brands: list[str] | None = None


class CategoriesBody(msgspec.Struct, rename="camel"):
    """An answer with categories by id, and their parents when asked for."""

    categories: dict[str, CategoryObject] | None = None
    category_parents: dict[str, CategoryObject] | None = None


class BestSellersBody(msgspec.Struct, rename="camel"):
    """An answer with best sellers, or without when Keepa has no list."""

    best_sellers_list: BestSellersList | None = None
