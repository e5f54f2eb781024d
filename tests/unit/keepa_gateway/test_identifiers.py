"""Claims about the identifiers a caller may send."""

import pytest

from services.keepa_gateway.domain import identifiers


@pytest.mark.parametrize("value", ["0593655036", "184297291X", "950644045X", "B0CS6RL7D6"])
def test_asins_of_real_books_are_taken(value: str) -> None:
    """Every one of these was answered by Keepa."""
    assert identifiers.asin(value) == value


@pytest.mark.parametrize("value", ["0593655037", "184297291Y", "B0CS6RL7D", "", "A0CS6RL7D6"])
def test_a_mistyped_asin_costs_nothing(value: str) -> None:
    """Keepa charges a token even for an ASIN that does not exist, so form is checked first."""
    assert identifiers.asin(value) is None


def test_an_isbn_with_hyphens_is_the_same_book() -> None:
    assert identifiers.asin("0-593-65503-6") == "0593655036"
    assert identifiers.code("978-0-593-65503-0") == "9780593655030"


@pytest.mark.parametrize("value", ["9780593655031", "97805936550", "abc", "12345678901"])
def test_a_code_with_a_wrong_check_digit_is_refused(value: str) -> None:
    """INC-6: a code can match anything; a mistyped one never leaves."""
    assert identifiers.code(value) is None


def test_a_book_has_one_check_digit() -> None:
    """The sum over the digits, as ISO 2108 writes it."""
    for stem in ("059365503", "950644045", "184297291", "000000000", "999999999"):
        weighed = sum((10 - place) * int(digit) for place, digit in enumerate(stem))
        right = "0123456789X"[-weighed % 11]

        assert [last for last in "0123456789X" if identifiers.isbn10_holds(stem + last)] == [right]


def test_an_isbn10_has_one_isbn13() -> None:
    assert identifiers.isbn13_of("0593655036") == "9780593655030"
