"""Claims about the identifiers a caller may send, and the ASIN each stands for."""

import pytest

from services.chassis import identifiers
from services.chassis.identifiers import BadIdentifierError


@pytest.mark.parametrize("value", ["0593655036", "184297291X", "950644045X", "B0CS6RL7D6"])
def test_asins_of_real_books_are_taken(value: str) -> None:
    """Every one of these was answered by Keepa."""
    assert identifiers.asin(value) == value
    assert identifiers.is_asin(value)


@pytest.mark.parametrize("value", ["0593655037", "184297291Y", "B0CS6RL7D", "", "A0CS6RL7D6"])
def test_a_mistyped_asin_costs_nothing(value: str) -> None:
    """Keepa charges a token even for an ASIN that does not exist, so form is checked first."""
    assert not identifiers.is_asin(value)
    with pytest.raises(BadIdentifierError):
        identifiers.asin(value)


def test_an_isbn_with_hyphens_is_the_same_book() -> None:
    assert identifiers.asin("0-593-65503-6") == "0593655036"
    assert identifiers.code("978-0-593-65503-0") == "9780593655030"


def test_only_the_usual_form_is_an_asin_as_it_stands() -> None:
    """Where a caller's text is sent on unchanged, hyphens and small letters would not match."""
    assert identifiers.asin("0-552-99068-x") == "055299068X"
    assert not identifiers.is_asin("0-552-99068-x")
    assert not identifiers.is_asin("b0cs6rl7d6")


@pytest.mark.parametrize("value", ["9780593655031", "97805936550", "abc", "12345678901"])
def test_a_code_with_a_wrong_check_digit_is_refused(value: str) -> None:
    """INC-6: a code can match anything; a mistyped one never leaves."""
    with pytest.raises(BadIdentifierError):
        identifiers.code(value)


@pytest.mark.parametrize("value", ["73513537", "036000291452", "9791032305690", "98412345678908"])
def test_codes_of_every_length_are_taken(value: str) -> None:
    """EAN-8, UPC, an ISBN-13 without an ISBN-10, GTIN-14: what scanners read from packages."""
    assert identifiers.code(value) == value


def test_a_book_has_one_check_digit() -> None:
    """The sum over the digits, as ISO 2108 writes it."""
    for stem in ("059365503", "950644045", "184297291", "000000000", "999999999"):
        weighed = sum((10 - place) * int(digit) for place, digit in enumerate(stem))
        right = "0123456789X"[-weighed % 11]

        assert [last for last in "0123456789X" if identifiers.is_asin(stem + last)] == [right]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("B09X7MPX8L", "B09X7MPX8L"),
        (" b09x7mpx8l ", "B09X7MPX8L"),
        ("0470820942", "0470820942"),
        ("0-552-99068-X", "055299068X"),
        ("055299068x", "055299068X"),
        ("9780470820940", "0470820942"),
        ("978-0-593-65503-0", "0593655036"),
    ],
)
def test_every_usual_form_gives_the_asin(typed: str, meant: str) -> None:
    """A10: a scanned barcode is an ISBN-13, and a book's ASIN is its ISBN-10."""
    assert identifiers.asin_of(typed) == meant


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "not an ASIN"),
        ("hello", "not an ASIN"),
        ("B09X7MPX8", "not an ASIN"),
        ("B09X7MPX8LL", "not an ASIN"),
        ("0470820943", "this ISBN-10 is wrong"),
        ("9780470820941", "this ISBN-13 is wrong"),
        ("9791032305690", "begins with 979"),
    ],
)
def test_anything_else_is_refused_before_a_token_is_spent(typed: str, told: str) -> None:
    """A13: a misread barcode costs nothing, and its owner learns what is wrong with it."""
    with pytest.raises(BadIdentifierError, match=told):
        identifiers.asin_of(typed)
