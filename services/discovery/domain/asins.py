"""What can be an ASIN: a mistyped one is refused before anything is spent."""

import re

_FORM = re.compile(r"B[0-9A-Z]{9}|[0-9]{9}[0-9X]")


def flaw(asin: str) -> str:
    """Say why a text of ten capital letters and digits can be no ASIN; empty when it can.

    A book's ASIN is its ISBN-10, whose last character is a check digit; ``X`` stands for 10.
    """
    if not _FORM.fullmatch(asin):
        return f"{asin!r} is no ASIN: B and nine letters or digits, or an ISBN-10"
    if asin.startswith("B"):
        return ""
    digits = [10 if sign == "X" else int(sign) for sign in asin]
    total = sum(weight * digit for weight, digit in zip(range(10, 0, -1), digits, strict=True))
    return f"{asin!r} is no ASIN: the check digit of this ISBN-10 is wrong" if total % 11 else ""
