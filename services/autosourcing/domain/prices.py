"""Prices as people type them, in whole cents."""

import re
from decimal import Decimal

MOST_CENTS = 100_000_000

_CURRENCY = re.compile(r"[$€£¥₹]|USD|EUR|GBP|CAD|AUD|MXN|INR|JPY", re.IGNORECASE)
_AMBIGUOUS = re.compile(r"[0-9]{1,3}[.,][0-9]{3}")
_FORMS = (
    re.compile(r"(?P<units>[0-9]+)(?:[.,](?P<part>[0-9]{1,2}))?"),
    re.compile(r"(?P<units>[0-9]{1,3}(?:,[0-9]{3})+)(?:\.(?P<part>[0-9]{1,2}))?"),
    re.compile(r"(?P<units>[0-9]{1,3}(?:\.[0-9]{3})+)(?:,(?P<part>[0-9]{1,2}))?"),
)


class BadPriceError(ValueError):
    """A text that is no price; its message says why, for people."""


def cents(text: str) -> int:
    """What ``text`` says, such as ``12.50``, ``$12.50``, ``12,5`` or ``1 250,00 €``.

    Raises:
        BadPriceError: It is no price, not above 0, too high, or can be read in two ways.
    """
    plain = re.sub(r"\s", "", _CURRENCY.sub("", text))
    if _AMBIGUOUS.fullmatch(plain):
        raise BadPriceError(f"the price {text!r} can be read in two ways; give it two decimals")
    found = next((match for form in _FORMS if (match := form.fullmatch(plain))), None)
    if found is None:
        raise BadPriceError(f"{text!r} is no price")
    units = re.sub("[.,]", "", found["units"])
    amount = Decimal(f"{units}.{found['part'] or 0}") * 100
    if not 0 < amount <= MOST_CENTS:
        raise BadPriceError(f"the price {text!r} must be above 0 and at most 1,000,000.00")
    return int(amount)
