"""Keepa's histories: which series is which, and when its minutes are."""

from collections.abc import Sequence
from dataclasses import dataclass

# Minutes from 1970 to Keepa's epoch, 2011-01-01. Source: keepacom/api_backend helper/KeepaTime.java.
EPOCH_MINUTES = 21_564_000

# By place in `csv` and in every statistics array. 34 in bodies of 2025, 36 since early 2026.
NAMES = (
    "AMAZON",
    "NEW",
    "USED",
    "SALES",
    "LISTPRICE",
    "COLLECTIBLE",
    "REFURBISHED",
    "NEW_FBM_SHIPPING",
    "LIGHTNING_DEAL",
    "WAREHOUSE",
    "NEW_FBA",
    "COUNT_NEW",
    "COUNT_USED",
    "COUNT_REFURBISHED",
    "COUNT_COLLECTIBLE",
    "EXTRA_INFO_UPDATES",
    "RATING",
    "COUNT_REVIEWS",
    "BUY_BOX_SHIPPING",
    "USED_NEW_SHIPPING",
    "USED_VERY_GOOD_SHIPPING",
    "USED_GOOD_SHIPPING",
    "USED_ACCEPTABLE_SHIPPING",
    "COLLECTIBLE_NEW_SHIPPING",
    "COLLECTIBLE_VERY_GOOD_SHIPPING",
    "COLLECTIBLE_GOOD_SHIPPING",
    "COLLECTIBLE_ACCEPTABLE_SHIPPING",
    "REFURBISHED_SHIPPING",
    "EBAY_NEW_SHIPPING",
    "EBAY_USED_SHIPPING",
    "TRADE_IN",
    "RENT",
    "BUY_BOX_USED_SHIPPING",
    "PRIME_EXCL",
    "COUNT_NEW_FBA",
    "COUNT_NEW_FBM",
)
# These hold [minute, price, shipping] instead of [minute, value].
TRIPLES = frozenset({7, *range(18, 30), 32})
ABSENT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One history, ascending in time; each value holds until the next.

    Attributes:
        times: Unix seconds, ascending.
        values: A price in the currency's smallest unit, a rank, a count or ten times a rating;
            `ABSENT` from the instant on at which there was none.
        shippings: For the series with shipping, what comes on top of each price, `ABSENT` where
            unknown; else empty.
    """

    name: str
    times: Sequence[int]
    values: Sequence[int]
    shippings: Sequence[int] = ()


def seconds(minute: int) -> int:
    """Turn a Keepa minute into UTC seconds."""
    return (minute + EPOCH_MINUTES) * 60


def name(index: int) -> str:
    """The name of a place in `csv`; a place Keepa added since is named by its number."""
    return NAMES[index] if index < len(NAMES) else f"SERIES_{index}"


def series(index: int, flat: Sequence[int]) -> Series:
    """Unfold one flat history of Keepa's."""
    step = 3 if index in TRIPLES else 2
    whole = len(flat) - len(flat) % step
    return Series(
        name=name(index),
        times=[(minute + EPOCH_MINUTES) * 60 for minute in flat[0:whole:step]],
        values=[max(value, ABSENT) for value in flat[1:whole:step]],
        shippings=[max(value, ABSENT) for value in flat[2:whole:step]] if step == 3 else (),
    )


def all_series(csv: Sequence[Sequence[int] | None] | None) -> list[Series]:
    """Every history that was sent and holds something."""
    return [series(index, flat) for index, flat in enumerate(csv or ()) if flat]
