"""The identifiers a caller may name products by, and their check digits."""

import re
from functools import lru_cache
from operator import mul

ASIN_FORM = re.compile(r"B[0-9A-Z]{9}|[0-9]{9}[0-9X]")
CODE_FORM = re.compile(r"[0-9]{8}|[0-9]{12,14}")
_NOISE = re.compile(r"[\s-]")
_ISBN10_WEIGHTS = range(10, 0, -1)


def isbn10_holds(value: str) -> bool:
    """Whether the tenth character is the right check digit; ``X`` stands for 10.

    Summed over the characters' codes instead of the digits: the colon's follows the nine's, and
    what all of them are too large by, 48 times the weights' sum of 55, is a multiple of 11.
    """
    weighed: int = sum(map(mul, _ISBN10_WEIGHTS, value.replace("X", ":").encode()))
    return weighed % 11 == 0


def gtin_holds(value: str) -> bool:
    """Whether the last digit of an EAN-8, UPC, EAN, ISBN-13 or GTIN-14 is the right check digit."""
    digits = [int(sign) for sign in reversed(value)]
    return sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0


@lru_cache(maxsize=10_000)
def asin(value: str) -> str | None:
    """Return the ASIN in its usual form, or nothing when it cannot be one.

    A book's ASIN is its ISBN-10, so its check digit is verified: a mistyped one costs nothing.
    """
    plain = value
    if not ASIN_FORM.fullmatch(plain):
        plain = _NOISE.sub("", value).upper()
        if not ASIN_FORM.fullmatch(plain):
            return None
    return plain if plain.startswith("B") or isbn10_holds(plain) else None


def code(value: str) -> str | None:
    """Return a UPC, EAN, ISBN-13 or GTIN-14 as bare digits, or nothing when it cannot be one."""
    plain = _NOISE.sub("", value)
    return plain if CODE_FORM.fullmatch(plain) and gtin_holds(plain) else None


def isbn13_of(isbn10: str) -> str:
    """Return the ISBN-13 of a valid ISBN-10."""
    stem = "978" + isbn10[:9]
    return next(stem + str(last) for last in range(10) if gtin_holds(stem + str(last)))
