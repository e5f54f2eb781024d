"""Cents: every amount is an integer, and every fraction is rounded half up, once, per line."""

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

CENT = Decimal(1)
HUNDREDTH = Decimal("0.01")


def cents(amount: Decimal) -> int:
    """Round an amount in cents half up (away from zero at exactly one half)."""
    return int(amount.quantize(CENT, rounding=ROUND_HALF_UP))


def share(amount_cents: int, percent: Decimal) -> int:
    """Take ``percent`` per cent of an amount, rounded half up to the cent, in whole numbers."""
    numerator, denominator = _ratio(percent)
    part, whole = abs(amount_cents * numerator), 100 * denominator
    rounded = (2 * part + whole) // (2 * whole)
    return rounded if (amount_cents < 0) == (numerator < 0) else -rounded


def percentage(part_cents: int, whole_cents: int) -> Decimal | None:
    """Express one amount in per cent of another, unrounded; None of nothing or of a debt."""
    if whole_cents <= 0:
        return None
    return Decimal(part_cents) * 100 / Decimal(whole_cents)


def hundredths(value: Decimal) -> Decimal:
    """Round half up to two decimals, as percentages are shown."""
    return value.quantize(HUNDREDTH, rounding=ROUND_HALF_UP)


def dollars(amount_cents: int) -> str:
    """Write an amount as a person reads it: ``$12.34``, ``-$0.05``."""
    sign = "-" if amount_cents < 0 else ""
    whole, rest = divmod(abs(amount_cents), 100)
    return f"{sign}${whole:,}.{rest:02d}"


@lru_cache(maxsize=256)
def _ratio(percent: Decimal) -> tuple[int, int]:
    return percent.as_integer_ratio()
