"""Book numbers: an ASIN of a printed book is its ISBN-10."""

import hashlib

_FIRST = 10_000_000  # of the nine digits before the check digit: groups 0 and 1, English
_NUMBERS = 189_999_977  # shares no factor with the step, so every index has its own number
_STEP = 73_939_133


def asin_of(seed: int, index: int) -> str:
    """Return the ISBN-10 of the ``index``-th book; distinct for distinct indexes."""
    number = _FIRST + (seed * 9_176_137 + index * _STEP) % _NUMBERS
    digits = f"{number:09d}"
    total = sum((10 - place) * int(digit) for place, digit in enumerate(digits))
    check = -total % 11
    return digits + ("X" if check == 10 else str(check))


def ean_of(asin: str) -> str:
    """Return the ISBN-13 of an ISBN-10."""
    digits = "978" + asin[:9]
    total = sum((3 if place % 2 else 1) * int(digit) for place, digit in enumerate(digits))
    return digits + str(-total % 10)


def upc_of(publisher: str) -> str:
    """Return the UPC that a publisher prints on all of its books, as some really do."""
    draw = int.from_bytes(hashlib.sha256(publisher.encode()).digest()[:8])
    digits = f"0{draw % 10**10:010d}"
    total = sum((1 if place % 2 else 3) * int(digit) for place, digit in enumerate(digits))
    return digits + str(-total % 10)
