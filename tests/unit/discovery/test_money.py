"""Rounding: half up, once per line, with no cent that comes or goes by accident."""

from decimal import Decimal

import pytest

from services.discovery.domain.scoring.money import cents, dollars, hundredths, percentage, share


@pytest.mark.parametrize(
    ("amount", "rounded"),
    [("0.5", 1), ("1.5", 2), ("2.5", 3), ("2.4999", 2), ("2.5001", 3), ("-0.5", -1), ("-2.5", -3)],
)
def test_exactly_half_a_cent_rounds_up_and_never_to_even(amount: str, rounded: int) -> None:
    """Banker's rounding, which decimal uses by default, would drop a cent from every other half."""
    assert cents(Decimal(amount)) == rounded


def test_a_fee_of_exactly_half_a_cent_is_charged_in_full() -> None:
    """15 % of $1.50 is 22.5 cents: Amazon takes 23."""
    assert share(150, Decimal(15)) == 23
    assert share(50, Decimal(5)) == 3


def test_percentages_round_half_up_as_well() -> None:
    """A person with a pencil gets the same last digit."""
    assert hundredths(Decimal("70.665")) == Decimal("70.67")
    assert hundredths(Decimal("70.675")) == Decimal("70.68")


def test_nothing_has_no_percentage() -> None:
    """A return on no cash is no number, least of all 0."""
    assert percentage(100, 0) is None
    assert percentage(-170, 960) == Decimal(-17000) / 960


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "$0.00"), (5, "$0.05"), (-5, "-$0.05"), (123_456, "$1,234.56")]
)
def test_amounts_are_written_as_people_read_them(amount: int, text: str) -> None:
    """A lost sign turns a loss into a profit."""
    assert dollars(amount) == text
