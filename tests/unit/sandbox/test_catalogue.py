"""Invented products decode as real ones do and agree with themselves."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from deploy.sandbox.catalogue.book import Quirk
from deploy.sandbox.catalogue.generated import GeneratedCatalogue, GeneratedItem
from deploy.sandbox.catalogue.instants import newest_instant
from deploy.sandbox.catalogue.isbn import asin_of, ean_of
from deploy.sandbox.catalogue.placeholder import placeholder
from deploy.sandbox.catalogue.series_index import ALL_EXTRAS, TRIPLES, Series
from deploy.sandbox.catalogue.view import View

MINUTE = 8_356_000
PLAIN = View(minute=MINUTE, stats=365)
FULL = View(minute=MINUTE, stats=365, offers=20, buybox=False, rating=True, stock=True)
RECORDED_PLAIN = "product_us_book_0593655036_response.json"
RECORDED_2026 = "product_us_B0F7XPYCSJ_2026_response.json"
RECORDED_USED_BOX = "books_us_1580626130_offers_response.json"
RECORDED_OFFERS = "product_us_book_0593655036_offers_object.json"
GONE_IN_2026 = {"imagesCSV", "variationCSV", "isB2B", "newPriceIsMAP"}
"""Legacy fields: in the recordings of 2025, no longer in those of 2026."""
OF_SOME_PRODUCTS = {
    "businessDiscount",
    "competitivePriceThreshold",
    "couponHistory",
    "formats",
    "includedComponents",
    "lastBusinessDiscountUpdate",
    "monthlySold",
    "monthlySoldHistory",
    "lastSoldUpdate",
    "contributors",
    "gtinList",
    "isHeatSensitive",
    "itemTypeKeyword",
    "variableClosingFee",
}
"""Fields that the recordings show for some products only."""


def items(catalogue: GeneratedCatalogue) -> Iterator[GeneratedItem]:
    """Yield the ordinary books."""
    found = (catalogue.find(asin) for asin in catalogue.asins())
    return (item for item in found if item and item.book.quirk is Quirk.NONE)


def a_book(catalogue: GeneratedCatalogue) -> GeneratedItem:
    return next(item for item in items(catalogue) if item.book.ebay_new > 0)


def kinds(value: Any) -> set[str]:
    """Name the JSON type; null goes with everything."""
    return {"null"} if value is None else {type(value).__name__, "null"}


def same_shape(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Check that every field both have is of one JSON type, or null on one side."""
    for name in ours.keys() & theirs.keys():
        assert kinds(ours[name]) & kinds(theirs[name]), name
        mine, other = ours[name], theirs[name]
        if mine is not None and other is not None:
            assert type(mine) is type(other), name


def test_a_plain_product_has_the_keys_of_a_real_one(
    catalogue: GeneratedCatalogue, sample: Callable[[str], Any]
) -> None:
    """What decodes a recorded product decodes ours, and a field is not there by accident."""
    ours = a_book(catalogue).render(PLAIN)
    book_2025 = sample(RECORDED_PLAIN)["products"][0]
    product_2026 = sample(RECORDED_2026)["products"][0]
    real = (book_2025.keys() | product_2026.keys()) - GONE_IN_2026

    assert ours.keys() <= real
    assert real - ours.keys() <= OF_SOME_PRODUCTS
    same_shape(ours, product_2026)
    same_shape(ours, book_2025)


def test_plain_statistics_have_the_keys_of_real_ones(
    catalogue: GeneratedCatalogue, sample: Callable[[str], Any]
) -> None:
    """The 2026 schema, 36 long, without a field more or less."""
    ours = a_book(catalogue).render(PLAIN)["stats"]
    theirs = sample(RECORDED_2026)["products"][0]["stats"]

    assert ours.keys() == theirs.keys()
    same_shape(ours, theirs)
    for name, values in theirs.items():
        if isinstance(values, list):
            assert len(ours[name]) == len(values) == 36


def test_offers_have_the_keys_of_real_ones(
    catalogue: GeneratedCatalogue, sample: Callable[[str], Any]
) -> None:
    """Offers are what the second pass buys from; their history and the live ones are apart."""
    ours = a_book(catalogue).render(FULL)
    theirs = sample(RECORDED_OFFERS)
    real = {name for offer in theirs["offers"] for name in offer} | {"stockCSV", "stockLimit"}

    for offer in ours["offers"]:
        assert offer.keys() <= real
        same_shape(offer, theirs["offers"][0])
    other = sample(RECORDED_USED_BOX)["products"][0]["stats"]
    assert ours["stats"].keys() <= theirs["stats"].keys() | other.keys() | {"stockBuyBox"}
    assert ours.keys() <= theirs.keys() | {"lastStockUpdate"}
    same_shape(ours["stats"], theirs["stats"])


def test_a_placeholder_has_the_keys_of_a_real_one(sample: Callable[[str], Any]) -> None:
    """Type 4: a whole object of nulls, at the price of a product."""
    real = sample("product_us_invalid_asin_response.json")["products"][0]
    ours = placeholder("B08N5WRWNW", 1, PLAIN)
    legacy = {"buyBoxIsPrimePantry", "isAddonItem"}
    legacy |= {"buyBoxMinOrderQuantity", "buyBoxMaxOrderQuantity"}

    assert ours.keys() == real.keys() - GONE_IN_2026 | {"images"}
    assert ours["stats"].keys() == real["stats"].keys() - legacy
    differing = {name for name in ours.keys() & real.keys() if ours[name] != real[name]}
    assert differing == {"csv", "g", "lastPriceChange", "lastUpdate", "stats", "trackingSince"}


def test_the_same_seed_gives_the_same_bytes() -> None:
    """A failing run must be repeatable on another machine."""
    first, second = (GeneratedCatalogue(seed=3, size=20, minute=MINUTE) for _ in range(2))
    other = GeneratedCatalogue(seed=4, size=20, minute=MINUTE)

    assert first.asins() == second.asins() != other.asins()
    for asin in first.asins():
        left, right = first.find(asin), second.find(asin)
        if left and right:
            assert json.dumps(left.render(FULL)) == json.dumps(right.render(FULL))


def test_asins_are_true_isbns_and_never_repeat() -> None:
    """A client that validates check digits must accept them all."""
    asins = [asin_of(1, index) for index in range(5_000)]

    assert len(set(asins)) == 5_000
    for asin in asins:
        values = [10 if digit == "X" else int(digit) for digit in asin]
        assert sum((10 - place) * value for place, value in enumerate(values)) % 11 == 0
        ean = [int(digit) for digit in ean_of(asin)]
        assert sum(ean[::2]) + 3 * sum(ean[1::2]) == 10 * (
            (sum(ean[::2]) + 3 * sum(ean[1::2])) // 10
        )


def test_histories_ascend_change_at_every_point_and_end_in_the_present(
    catalogue: GeneratedCatalogue,
) -> None:
    """Keepa appends on change only; a history that ends elsewhere than `current` is a lie."""
    for item in list(items(catalogue))[:60]:
        product = item.render(FULL)
        for index, flat in enumerate(product["csv"]):
            if not flat:
                continue
            stride = 3 if index in TRIPLES else 2
            times = flat[::stride]
            assert all(a < b for a, b in pairwise(times)), (item.asin, index)
            assert times[-1] <= MINUTE
            value = flat[1 - stride] + (max(0, flat[-1]) if stride == 3 else 0)
            assert value == product["stats"]["current"][index], (item.asin, Series(index))


def test_the_finder_sees_the_current_values_that_the_product_shows(
    catalogue: GeneratedCatalogue,
) -> None:
    """A book found between $15 and $60 must cost that when it is looked up."""
    for item in list(items(catalogue))[:60]:
        stats = item.render(FULL)["stats"]
        for index in range(36):
            assert item.stat("current", index) == stats["current"][index], Series(index)


def test_extra_series_come_only_when_paid_for(catalogue: GeneratedCatalogue) -> None:
    """One token buys no buy box, no FBA price, no used grades, no rating."""
    book = a_book(catalogue)
    plain = book.render(PLAIN)
    boxed = book.render(View(minute=MINUTE, stats=365, buybox=True))

    assert all(plain["csv"][index] is None for index in ALL_EXTRAS)
    assert all(plain["stats"]["current"][index] == -1 for index in ALL_EXTRAS)
    assert plain["stats"]["buyBoxPrice"] == plain["stats"]["offerCountFBA"] == -2
    assert plain["buyBoxSellerIdHistory"] is None
    assert boxed["stats"]["buyBoxPrice"] == book.book.buy_box
    assert boxed["csv"][Series.BUY_BOX_SHIPPING]
    assert boxed["csv"][Series.NEW_FBA] is None
    assert "offers" not in boxed


def test_offers_agree_with_the_prices_and_counts_of_the_product(
    catalogue: GeneratedCatalogue,
) -> None:
    """The cheapest live offer of a condition is the price that the series ends at."""
    for item in list(items(catalogue))[:60]:
        product = item.render(FULL)
        live = [product["offers"][place] for place in product["liveOffersOrder"]]
        stats = product["stats"]
        if stats["totalOfferCount"] > 20:
            continue
        new = [sum(offer["offerCSV"][-2:]) for offer in live if offer["condition"] == 1]
        used = [sum(offer["offerCSV"][-2:]) for offer in live if offer["condition"] > 1]
        assert min(new) == stats["current"][Series.NEW]
        assert min(used, default=item.book.used) == stats["current"][Series.USED]
        assert len(live) == stats["totalOfferCount"]
        assert stats["offerCountFBA"] + stats["offerCountFBM"] == len(new)
        assert live[0]["sellerId"] == stats["buyBoxSellerId"]


def test_days_and_history_cut_what_is_sent_and_nothing_else(
    catalogue: GeneratedCatalogue,
) -> None:
    """`days=90` keeps the price that held 90 days ago; `history=0` sends null."""
    book = a_book(catalogue)
    whole = book.render(PLAIN)
    cut = book.render(View(minute=MINUTE, stats=365, days=90))
    none = book.render(View(minute=MINUTE, stats=365, history=False))
    start = cut["lastUpdate"] - 90 * 1_440

    assert cut["csv"][Series.NEW][0] == start
    assert whole["csv"][Series.NEW][-4:] == cut["csv"][Series.NEW][-4:]
    assert none["csv"] is None
    assert none["stats"] == cut["stats"] == whole["stats"]


def test_nothing_lies_in_the_future(catalogue: GeneratedCatalogue) -> None:
    """Keepa minutes beyond now would make a fresh price look stale or the reverse."""
    for item in list(items(catalogue))[:40]:
        assert newest_instant(item.render(FULL)) <= MINUTE


def test_the_catalogue_holds_what_must_be_refused(catalogue: GeneratedCatalogue) -> None:
    """Adult titles, redirects, e-books and withdrawn ASINs are all there to be tripped over."""
    large = GeneratedCatalogue(seed=7, size=3_000, minute=MINUTE)
    found = [large.find(asin) for asin in large.asins()]
    quirks = {item.book.quirk for item in found if item}

    assert quirks == set(Quirk) - {Quirk.WITHDRAWN}
    assert found.count(None) > 10
    withdrawn = large.asins()[found.index(None)]
    assert large.placeholder(withdrawn, 1, PLAIN)["productType"] == 4


def test_everything_survives_the_wire(catalogue: GeneratedCatalogue) -> None:
    """A product is plain JSON: no float where Keepa sends whole numbers, no tuple, no NaN."""
    product = a_book(catalogue).render(FULL)

    assert msgspec.json.decode(msgspec.json.encode(product)) == product
    assert json.loads(json.dumps(product, allow_nan=False)) == product


@pytest.mark.parametrize("seed", [1, 2, 99])
def test_demand_shows_in_the_drops(seed: int) -> None:
    """Better ranks sell more: the velocity of a search's results must not be noise."""
    grown = GeneratedCatalogue(seed=seed, size=300, minute=MINUTE)
    ranked = sorted(items(grown), key=lambda item: item.book.rank)
    third = len(ranked) // 3

    drops = [item.count("salesRankDrops90") for item in ranked]

    assert sum(drops[:third]) > 3 * sum(drops[-third:]) > 0
