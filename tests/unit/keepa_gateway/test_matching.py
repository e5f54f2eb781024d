"""Products asked for by code: whatever came back was paid for, and is found again by that code."""

from datetime import UTC, datetime

from services.keepa_gateway.domain.matching import by_code, named
from services.keepa_gateway.domain.products_request import ProductOptions
from services.keepa_gateway.domain.snapshot import Snapshot


def product(asin: str, *codes: str) -> Snapshot:
    return Snapshot(
        domain=1,
        asin=asin,
        options=ProductOptions(),
        fetched_at=datetime(2026, 11, 20, tzinfo=UTC),
        known=True,
        product=b"",
        codes=frozenset(codes),
    )


def test_a_code_is_answered_by_the_products_that_list_it() -> None:
    one, two, other = product("A", "9780"), product("B", "9780", "9781"), product("C", "9781")

    assert by_code(["9780", "9781"], [one, two, other]) == {"9780": ("A", "B"), "9781": ("B", "C")}


def test_a_upc_and_the_ean_that_holds_it_are_one_code() -> None:
    """Keepa lists the one and is asked for the other."""
    found = by_code(["0036000291452", "9780306406157"], [product("A", "036000291452")])

    assert found == {"0036000291452": ("A",), "9780306406157": ()}


def test_what_lists_none_of_the_codes_answers_the_only_one_left() -> None:
    """It used to be told as not found, and paid for again with every question."""
    listed, silent = product("A", "9780"), product("B")

    found = by_code(["9780", "9781"], [listed, silent])

    assert found == {"9780": ("A",), "9781": ("B",)}
    assert named(silent, found).codes == {"9781"}
    assert named(listed, found) is listed


def test_where_two_codes_are_left_nothing_is_guessed() -> None:
    """A wrong product is worse than none."""
    assert by_code(["9780", "9781"], [product("B")]) == {"9780": (), "9781": ()}
