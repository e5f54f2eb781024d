"""The numbers of Keepa's price series, and which of them cost extra."""

from enum import IntEnum

LENGTH = 36


class Series(IntEnum):
    """Index of a series in ``csv`` and in every array of ``stats``."""

    AMAZON = 0
    NEW = 1
    USED = 2
    SALES = 3
    LISTPRICE = 4
    COLLECTIBLE = 5
    REFURBISHED = 6
    NEW_FBM_SHIPPING = 7
    LIGHTNING_DEAL = 8
    WAREHOUSE = 9
    NEW_FBA = 10
    COUNT_NEW = 11
    COUNT_USED = 12
    COUNT_REFURBISHED = 13
    COUNT_COLLECTIBLE = 14
    EXTRA_INFO_UPDATES = 15
    RATING = 16
    COUNT_REVIEWS = 17
    BUY_BOX_SHIPPING = 18
    USED_NEW_SHIPPING = 19
    USED_VERY_GOOD_SHIPPING = 20
    USED_GOOD_SHIPPING = 21
    USED_ACCEPTABLE_SHIPPING = 22
    COLLECTIBLE_NEW_SHIPPING = 23
    COLLECTIBLE_VERY_GOOD_SHIPPING = 24
    COLLECTIBLE_GOOD_SHIPPING = 25
    COLLECTIBLE_ACCEPTABLE_SHIPPING = 26
    REFURBISHED_SHIPPING = 27
    EBAY_NEW_SHIPPING = 28
    EBAY_USED_SHIPPING = 29
    TRADE_IN = 30
    RENT = 31
    BUY_BOX_USED_SHIPPING = 32
    PRIME_EXCL = 33
    COUNT_NEW_FBA = 34
    COUNT_NEW_FBM = 35


TRIPLES = frozenset({7, *range(18, 30), 32})
"""Series of ``[time, price, shipping]``; the others are ``[time, value]``."""

NOT_PRICES = frozenset(
    {
        Series.SALES,
        Series.COUNT_NEW,
        Series.COUNT_USED,
        Series.COUNT_REFURBISHED,
        Series.COUNT_COLLECTIBLE,
        Series.EXTRA_INFO_UPDATES,
        Series.RATING,
        Series.COUNT_REVIEWS,
        Series.COUNT_NEW_FBA,
        Series.COUNT_NEW_FBM,
    }
)
"""Series without an out-of-stock percentage."""

BUY_BOX_EXTRA = frozenset({Series.BUY_BOX_SHIPPING, Series.BUY_BOX_USED_SHIPPING})
RATING_EXTRA = frozenset({Series.RATING, Series.COUNT_REVIEWS})
OFFERS_EXTRA = frozenset({7, 9, 10, 15, *range(19, 28), 33})
"""Filled only when offers are asked for; those then bring the two sets above too."""


def extras(*, offers: bool, buybox: bool, rating: bool) -> frozenset[int]:
    """Return the extra series that a request's options fill."""
    granted: set[int] = set()
    if offers:
        granted |= OFFERS_EXTRA | BUY_BOX_EXTRA | RATING_EXTRA
    if buybox:
        granted |= BUY_BOX_EXTRA
    if rating:
        granted |= RATING_EXTRA
    return frozenset(granted)


ALL_EXTRAS = OFFERS_EXTRA | BUY_BOX_EXTRA | RATING_EXTRA
