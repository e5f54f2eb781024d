"""Claims about reading Keepa's products, on the recorded real answers where they are at hand."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.keepa_gateway.domain.bodies import BrokenBody, Slices
from services.keepa_gateway.domain.product import KeepaProduct, decode, statistics
from services.keepa_gateway.domain.series import (
    NAMES,
    TRIPLES,
    all_series,
    seconds,
    series,
)
from services.keepa_gateway.storage.packing import pack

SHARED = Path(os.environ.get("AV_SHARED", Path(__file__).parents[4] / "shared"))
SAMPLES = sorted((SHARED / "keepa_samples").glob("*.json"))
needs_samples = pytest.mark.skipif(not SAMPLES, reason="the recorded answers are not at hand")


def recorded() -> Iterator[tuple[str, dict[str, object]]]:
    for path in SAMPLES:
        content = msgspec.json.decode(path.read_bytes())
        if isinstance(content, list):
            found = [item for item in content if isinstance(item, dict) and "csv" in item]
        else:
            found = content.get("products") or ([content] if "csv" in content else [])
        yield from ((path.name, product) for product in found)


@needs_samples
def test_every_recorded_product_is_read_without_loss() -> None:
    """34 series of 2025 and 36 of 2026, US and Japan, nulls and placeholders alike."""
    names = []
    for name, sent in recorded():
        read = decode(msgspec.json.encode(sent))
        names.append(name)

        assert read.dropped == (), name
        assert read.product.asin == sent["asin"]
        assert_series(sent, all_series(read.product.csv))
        assert len(read.product.offers or ()) == len(sent.get("offers") or ())
        assert_statistics(sent)
    assert len(names) >= 25


@needs_samples
def test_what_is_not_typed_is_in_the_raw_product() -> None:
    """No field that Keepa sent is lost: the raw product is the very bytes of the answer."""
    sent = [product for _, product in recorded()]
    body = msgspec.json.encode({"a": [{"products": 1}], "products": sent, "tokensLeft": 5})

    cut = Slices(body, "products")
    raws = list(cut)

    assert [msgspec.json.decode(raw) for raw in raws] == sent
    assert msgspec.json.decode(cut.rest)["products"] == []
    assert all(body.count(raw) >= 1 for raw in raws)


@needs_samples
def test_bodies_of_both_lengths_and_of_japan_are_among_the_recorded() -> None:
    """The claim above is worth as much as what it is made on."""
    lengths = {len(sent["csv"]) if sent["csv"] else 0 for _, sent in recorded()}
    domains = {sent["domainId"] for _, sent in recorded()}

    assert {0, 34, 36} <= lengths
    assert {1, 5} <= domains


def assert_series(sent: dict[str, object], read: list[object]) -> None:
    flat = {NAMES[place]: values for place, values in enumerate(sent["csv"] or ()) if values}
    assert [one.name for one in read] == list(flat)
    for one in read:
        step = 3 if NAMES.index(one.name) in TRIPLES else 2
        values = flat[one.name]
        assert list(one.times) == [seconds(minute) for minute in values[::step]]
        assert list(one.values) == [max(value, -1) for value in values[1::step]]
        if step == 3:
            assert list(one.shippings) == [max(value, -1) for value in values[2::step]]


def assert_statistics(sent: dict[str, object]) -> None:
    stats = decode(msgspec.json.encode(sent)).product.stats
    if stats is None:
        return
    current = {NAMES[place]: value for place, value in enumerate(sent["stats"]["current"])}
    rows = statistics(stats)
    assert {row.name: row.current for row in rows if row.current is not None} == {
        name: value for name, value in current.items() if value >= 0
    }


@needs_samples
def test_a_placeholder_is_no_product() -> None:
    """Keepa sends a whole object of nulls for an ASIN it does not know, and charges for it."""
    known = {name: decode(msgspec.json.encode(sent)).product.known for name, sent in recorded()}

    assert not known["product_us_invalid_asin_response.json"]
    assert not known["product_us_placeholder_1492056200_object.json"]
    assert known["product_us_B07FZ8S74R_productType1_object.json"]


def test_a_field_whose_type_changed_is_lost_alone() -> None:
    """keepa#93: other parsers broke when Keepa changed one field."""
    raw = b'{"asin":"B000000001","title":["x"],"monthlySold":"many","brand":"Puffin","new":{}}'

    read = decode(raw)

    assert read.product.brand == "Puffin"
    assert read.product.title is None
    assert sorted(read.dropped) == ["monthlySold", "title"]


@pytest.mark.parametrize("number", [2**31, 2**63, 2**70, -(2**70)])
@pytest.mark.parametrize(
    "field",
    [
        {"monthlySold": "NUMBER"},
        {"packageWeight": "NUMBER"},
        {"lastUpdate": "NUMBER"},
        {"referralFeePercentage": "NUMBER"},
        {"stats": {"current": ["NUMBER"], "avg90": [1]}},
        {"stats": {"salesRankDrops30": "NUMBER"}},
        {"offers": [{"stockCSV": [1, "NUMBER"]}]},
    ],
)
def test_a_number_that_no_message_holds_is_lost_alone(
    field: dict[str, object], number: int
) -> None:
    """It used to take the whole answer with it, a hundred products that were paid for."""
    sent = msgspec.json.encode({"asin": "0593655036", "title": "Kept", **field})

    read = decode(sent.replace(b'"NUMBER"', str(number).encode()))

    assert read.dropped == tuple(field)
    assert pb.Product.FromString(pack(read.product)).title == "Kept"


@pytest.mark.parametrize("field", ["offers", "liveOffersOrder"])
def test_offers_that_are_left_out_were_not_read(field: str) -> None:
    """Nobody sells it, or nobody could read who does: the second must not look like the first."""
    sent = {"asin": "0593655036", "offersSuccessful": True, "offers": [], "liveOffersOrder": []}

    kept, lost = decode(msgspec.json.encode(sent)), decode(msgspec.json.encode(sent | {field: 1}))

    assert kept.product.offers_successful
    assert lost.dropped == (field,)
    assert lost.product.offers_successful is False


@pytest.mark.parametrize(
    "raw", [b"{}", b"[]", b'{"asin":1}', b"{", b"null", b'{"asin":""}', b'{"asin":"A\\u0000"}']
)
def test_what_has_no_asin_is_no_product(raw: bytes) -> None:
    with pytest.raises(BrokenBody):
        decode(raw)


def test_what_no_database_takes_is_no_code() -> None:
    """The whole answer would be lost with it, though it was paid for."""
    product = KeepaProduct(asin="0593655036", ean_list=["9780593655030", "97\x00", ""])

    assert product.codes == {"9780593655030"}


def test_keepa_minutes_become_utc_seconds() -> None:
    """7775880 is 2025-10-13T22:00Z."""
    assert seconds(7775880) == 1760392800


def test_series_with_shipping_are_triples() -> None:
    read = series(18, [7775880, 1999, 399, 7775890, -1, -1])

    assert read.name == "BUY_BOX_SHIPPING"
    assert list(read.values) == [1999, -1]
    assert list(read.shippings) == [399, -1]


def test_a_history_of_numbers_that_no_history_has_costs_nothing_else() -> None:
    """Keepa's own have 32 bits; what was paid for must not be lost for one that has more."""
    product = KeepaProduct(asin="0593655036", csv=[[7775880, 1999], [7775880, 2**31], [2**62, 1]])

    packed = pb.Product.FromString(pack(product))

    assert [(one.name, list(one.values)) for one in packed.series] == [("AMAZON", [1999])]


def test_a_series_keepa_added_is_named_by_its_place() -> None:
    assert [one.name for one in all_series([None] * 36 + [[1, 2]])] == ["SERIES_36"]
