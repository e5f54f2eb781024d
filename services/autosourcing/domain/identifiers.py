"""The identifiers a job may start from: ASINs and ISBNs, in the forms people type them."""

import re

_ASIN = re.compile(r"B[0-9A-Z]{9}")
_ISBN10 = re.compile(r"[0-9]{9}[0-9X]")
_ISBN13 = re.compile(r"97[89][0-9]{10}")


class BadIdentifierError(ValueError):
    """A text that is no ASIN and no ISBN; its message says why, for people."""


def asin(text: str) -> str:
    """The ASIN that ``text`` stands for.

    A book's ASIN is its ISBN-10; an ISBN-13 that begins with 978 has exactly one.

    Raises:
        BadIdentifierError: It is neither, its check digit is wrong, or it begins with 979 and
            so has no ISBN-10.
    """
    compact = re.sub(r"[\s-]", "", text).upper()
    if _ASIN.fullmatch(compact):
        return compact
    if _ISBN13.fullmatch(compact):
        return _from_isbn13(compact)
    if _ISBN10.fullmatch(compact):
        if _isbn10_check(compact[:9]) != compact[9]:
            raise BadIdentifierError("the check digit of this ISBN-10 is wrong")
        return compact
    raise BadIdentifierError("not an ASIN (10 characters) and not an ISBN (10 or 13 digits)")


def _from_isbn13(digits: str) -> str:
    weighted = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits))
    if weighted % 10 != 0:
        raise BadIdentifierError("the check digit of this ISBN-13 is wrong")
    if not digits.startswith("978"):
        raise BadIdentifierError(
            "an ISBN that begins with 979 has no ASIN of its own; give the ASIN"
        )
    return digits[3:12] + _isbn10_check(digits[3:12])


def _isbn10_check(nine: str) -> str:
    rest = -sum(int(d) * (10 - i) for i, d in enumerate(nine)) % 11
    return "X" if rest == 10 else str(rest)
