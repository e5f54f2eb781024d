"""What names a product: ASINs, the ISBNs that books are known by, and the codes on packages.

A book's ASIN is its ISBN-10, so a check digit tells a mistyped one before anything is spent: Keepa
charges for an ASIN that does not exist, too. The check digits themselves are python-stdnum's.
"""

import re
from functools import lru_cache

from stdnum import ean, isbn

_ASIN = re.compile(r"B[0-9A-Z]{9}|[0-9]{9}[0-9X]")
_ISBN13 = re.compile(r"97[89][0-9]{10}")
# EAN-8, UPC, EAN or ISBN-13, GTIN-14.
_CODE = re.compile(r"[0-9]{8}|[0-9]{12,14}")
_NOISE = re.compile(r"[\s-]")


class BadIdentifierError(ValueError):
    """A text that names no product; its message says why, for people."""


def is_asin(text: str) -> bool:
    """Whether ``text`` is an ASIN in its usual form: ten capital letters and digits."""
    return len(text) == 10 and _is_asin(text)


def asin(text: str) -> str:
    """The ASIN that ``text`` is, in its usual form.

    Raises:
        BadIdentifierError: It is none, or an ISBN-10 whose check digit is wrong.
    """
    if is_asin(text):
        return text
    usual = _compact(text)
    if is_asin(usual):
        return usual
    if _ASIN.fullmatch(usual):
        raise BadIdentifierError("the check digit of this ISBN-10 is wrong")
    raise BadIdentifierError("B and nine letters or digits, or an ISBN-10")


def asin_of(text: str) -> str:
    """The ASIN that ``text`` stands for: an ASIN, or an ISBN of 10 or 13 digits.

    An ISBN-13 that begins with 978 has exactly one ISBN-10, one that begins with 979 has none.

    Raises:
        BadIdentifierError: It stands for none.
    """
    usual = _compact(text)
    if _ASIN.fullmatch(usual):
        return asin(usual)
    if not _ISBN13.fullmatch(usual):
        raise BadIdentifierError("not an ASIN (10 characters) and not an ISBN (10 or 13 digits)")
    if not isbn.is_valid(usual):
        raise BadIdentifierError("the check digit of this ISBN-13 is wrong")
    if usual.startswith("979"):
        raise BadIdentifierError(
            "an ISBN that begins with 979 has no ASIN of its own; give the ASIN"
        )
    return isbn.to_isbn10(usual)


def code(text: str) -> str:
    """The UPC, EAN, ISBN-13 or GTIN-14 that ``text`` is, as bare digits.

    Raises:
        BadIdentifierError: It is none, or its check digit is wrong.
    """
    digits = _NOISE.sub("", text)
    if not _CODE.fullmatch(digits):
        raise BadIdentifierError("not a UPC, EAN or ISBN-13 (8, 12, 13 or 14 digits)")
    if not ean.is_valid(digits):
        raise BadIdentifierError("the check digit of this code is wrong")
    return digits


def _compact(text: str) -> str:
    return _NOISE.sub("", text).upper()


@lru_cache(maxsize=10_000)
def _is_asin(ten: str) -> bool:
    """Look at ten characters; remembered, as the same products come by all day."""
    return bool(_ASIN.fullmatch(ten)) and (ten.startswith("B") or isbn.is_valid(ten))
