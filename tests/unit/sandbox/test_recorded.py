"""Recorded answers come back moved in time and otherwise untouched."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.catalogue.instants import move_instants, newest_instant
from deploy.sandbox.catalogue.recorded import NothingRecorded, load
from deploy.sandbox.catalogue.series_index import TRIPLES, Series
from deploy.sandbox.catalogue.view import View

MINUTE = 8_356_000
BOOK = "0593655036"
EVERYTHING = View(minute=MINUTE, stats=365, offers=100, rating=True)


def test_a_folder_without_recordings_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """A typing error in --catalog must not serve an empty shop."""
    (tmp_path / "other.json").write_text('{"products": []}')
    (tmp_path / "broken.json").write_text("{")

    with pytest.raises(NothingRecorded, match="holds no recorded product"):
        load(tmp_path, MINUTE)
    with pytest.raises(NothingRecorded, match="does not exist"):
        load(tmp_path / "nowhere", MINUTE)


def test_every_product_was_recorded_just_now(shared: Path) -> None:
    """The newest instant of each is the minute of the start."""
    recorded = load(shared, MINUTE)

    assert len(recorded.asins()) > 15
    for asin in recorded.asins():
        item = recorded.find(asin)
        assert item
        assert newest_instant(item.facts) == MINUTE


def test_of_several_recordings_the_newest_counts(shared: Path, sample: Callable[..., Any]) -> None:
    """Nine snapshots of one book, and one more in a file of its own."""
    snapshots = sample("books_us_950644045X_snapshots_over_time.json")
    item = load(shared, MINUTE).find("950644045X")

    assert item
    newest = max(snapshots, key=lambda product: product["lastUpdate"])
    assert item.stat("current", Series.SALES) == newest["stats"]["current"][Series.SALES]


def test_only_minutes_move(shared: Path, sample: Callable[[str], Any]) -> None:
    """All times by one distance, every price, rank and name as recorded."""
    recorded = sample("product_us_book_0593655036_offers_object.json")
    item = load(shared, MINUTE).find(BOOK)
    assert item
    distance = MINUTE - newest_instant(recorded)

    returned = item.render(EVERYTHING)

    back = move_instants(returned, lambda minute: minute - distance)
    assert back["csv"] == recorded["csv"]
    assert back["stats"] == recorded["stats"]
    assert back["buyBoxUsedHistory"] == recorded["buyBoxUsedHistory"]
    live = {offer["offerId"]: offer for offer in recorded["offers"]}
    assert all(live[offer["offerId"]] == offer for offer in back["offers"])
    assert returned["lastUpdate"] == recorded["lastUpdate"] + distance
    assert returned["publicationDate"] == recorded["publicationDate"]


T = 7_000_000  # a Keepa minute; every other number of the product below is far smaller
EVERY_FIELD = {
    **dict.fromkeys(("lastUpdate", "lastPriceChange", "lastRatingUpdate", "lastSoldUpdate"), T),
    **dict.fromkeys(("lastStockUpdate", "lastEbayUpdate", "lastBusinessDiscountUpdate"), T),
    **dict.fromkeys(("trackingSince", "listedSince"), T),
    "publicationDate": 2020,
    "fbaFees": {"lastUpdate": T, "pickAndPackFee": 5},
    "csv": [[T, 1, T, 2] if index not in TRIPLES else [T, 1, 2, T, 3, 4] for index in range(36)],
    "salesRanks": {"5": [T, 1, T, 2]},
    "salesRankReferenceHistory": [T, 1, T, 2],
    "monthlySoldHistory": [T, 1, T, 2],
    "couponHistory": [T, 1, 2, T, 3, 4],
    "buyBoxSellerIdHistory": [str(T), "A1", str(T), "-1"],
    "buyBoxUsedHistory": [str(T), "A1", "2", "0", str(T), "", "", ""],
    "offers": [
        {
            "lastSeen": T,
            "lastStockUpdate": T,
            "offerCSV": [T, 1, 2, T, 3, 4],
            "stockCSV": [T, 1, T, 2],
            "stockLimit": [T, 1],
            "couponHistory": [T, 1, T, 2],
            "primeExclCSV": [T, 1, T, 2],
            "sellerId": "A1",
        }
    ],
    "stats": {
        "current": [1, 2],
        "min": [[T, 1], None],
        "max": [[T, 2], None],
        "minInInterval": [[T, 1], [-1, -1]],
        "maxInInterval": [[T, 2], [-1, -1]],
        "lastOffersUpdate": T,
        "lastBuyBoxUpdate": T,
        "lightningDealInfo": [T, T],
        "buyBoxStats": {"A1": {"lastSeen": T, "avgPrice": 3}},
        "buyBoxUsedStats": {"A1": {"lastSeen": T, "avgPrice": 3}},
    },
}


def test_every_minute_moves_and_no_other_number() -> None:
    """A price that moved or a minute that did not would make a history nonsense."""
    expected = json.loads(json.dumps(EVERY_FIELD).replace(str(T), str(T + 500)))

    assert move_instants(EVERY_FIELD, lambda minute: minute + 500) == expected


def test_unknown_instants_stay_unknown(sample: Callable[[str], Any]) -> None:
    """0, -1 and stranger negatives mean unknown and must not become dates."""
    odd = sample("product_us_book_055299068X_offers_object.json")

    moved = move_instants(odd, lambda minute: minute + 1_000)

    assert odd["lastEbayUpdate"] < 0
    assert moved["lastEbayUpdate"] == odd["lastEbayUpdate"]
    assert moved["lastUpdate"] == odd["lastUpdate"] + 1_000


def test_what_was_not_asked_for_is_hidden(shared: Path) -> None:
    """A recording with offers answers a 1-token call as Keepa would."""
    item = load(shared, MINUTE).find(BOOK)
    assert item

    plain = item.render(View(minute=MINUTE, stats=365))

    assert "offers" not in plain
    assert plain["csv"][Series.BUY_BOX_SHIPPING] is None
    assert plain["stats"]["current"][Series.BUY_BOX_SHIPPING] == -1
    assert plain["stats"]["buyBoxPrice"] == -2
    assert plain["csv"][Series.NEW]


def test_the_tree_is_that_of_the_recorded_products(shared: Path) -> None:
    """Best sellers and categories work on what was recorded."""
    tree = load(shared, MINUTE).tree

    assert tree[283155].name == "Books"
    assert tree[283155].parent == 0
    assert all(node.parent in tree for node in tree.values() if node.parent)


def test_a_handmade_recording_needs_no_folder_of_samples(tmp_path: Path) -> None:
    """The smallest product that Keepa could send is enough."""
    product = {
        "asin": "0000000019",
        "productType": 0,
        "domainId": 1,
        "lastUpdate": 7_000_000,
        "eanList": ["9780000000019"],
        "csv": [None, [6_999_000, 1_500, 6_999_900, 1_400]],
    }
    (tmp_path / "one_response.json").write_text(json.dumps({"products": [product]}))
    recorded = load(tmp_path, MINUTE)
    item = recorded.find("0000000019")
    assert item

    assert recorded.by_code("9780000000019") == ["0000000019"]
    assert item.stat("current", Series.NEW) == 1_400
    assert item.render(View(minute=MINUTE))["csv"][1] == [
        MINUTE - 1_000, 1_500, MINUTE - 100, 1_400,
    ]  # fmt: skip
