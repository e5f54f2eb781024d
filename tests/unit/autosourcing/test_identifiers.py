"""What people type for a book, and the ASIN it stands for."""

import pytest

from services.autosourcing.domain.identifiers import BadIdentifierError, asin


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
    assert asin(typed) == meant


@pytest.mark.parametrize(
    "typed",
    ["", "hello", "B09X7MPX8", "0470820943", "9780470820941", "9791032305690", "B09X7MPX8LL"],
)
def test_anything_else_is_refused_before_a_token_is_spent(typed: str) -> None:
    """A13: a misread barcode costs nothing."""
    with pytest.raises(BadIdentifierError):
        asin(typed)
