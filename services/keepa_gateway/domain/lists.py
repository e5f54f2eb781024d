"""The bodies of list answers."""

import msgspec


class FinderBody(msgspec.Struct, rename="camel"):
    """An answer of the Product Finder."""

    asin_list: list[str] | None = None
    total_results: int | None = None


class BestSellersList(msgspec.Struct, rename="camel"):
    """The ASINs of a category in the order of their rank."""

    asin_list: list[str] | None = None
    last_update: int | None = None


class BestSellersBody(msgspec.Struct, rename="camel"):
    """An answer with best sellers, or without when Keepa has no list."""

    best_sellers_list: BestSellersList | None = None
