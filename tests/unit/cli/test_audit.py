"""When the ledger counts as balanced against the sandbox."""

from dataclasses import replace

import pytest

from services.cli.audit import Audit, Reading

START = Reading(booked=0, unsettled=0, charged=0, lowest=1200, balance=1200, projected=1200)
END = replace(START, booked=21, charged=21, lowest=1179, balance=1179, projected=1179)


def test_equal_sides_are_balanced() -> None:
    assert Audit(START, END).balanced


def test_tokens_of_an_earlier_run_count_on_neither_side() -> None:
    """A kept data folder meets a sandbox that was just started."""
    before = replace(START, booked=500)

    assert Audit(before, replace(END, booked=521)).balanced


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"charged": 22}, "a token was spent that the ledger does not know"),
        ({"booked": 22}, "the ledger invented a token"),
        ({"lowest": -1}, "the account was driven below zero"),
    ],
)
def test_any_difference_is_found(change: dict[str, int], why: str) -> None:
    """INC-1, S4: the demo's verdict must be able to fail."""
    assert not Audit(START, replace(END, **change)).balanced, why


def test_a_lost_answer_may_miss_up_to_its_upper_bound() -> None:
    """A call whose answer was lost is held at its bound until a balance settles it."""
    lost = replace(END, booked=11, unsettled=10)

    assert Audit(START, lost).balanced
    assert not Audit(START, replace(lost, unsettled=9)).balanced
