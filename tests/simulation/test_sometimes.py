"""A run that met too little is red, and for that alone only when it was long enough."""

from collections import Counter

import pytest

from tests.simulation.__main__ import Verdict, unmet
from tests.simulation.sometimes import CONDITIONS, RARE, USUAL, missed, overdue


def test_a_condition_is_demanded_only_of_as_many_seeds_as_it_needs() -> None:
    """A run that is red for nothing teaches people to look away."""
    nothing = Counter[str]()
    rarest = max(RARE.values())

    assert overdue(nothing, USUAL - 1) == []
    assert set(CONDITIONS) - set(overdue(nothing, USUAL)) == set(RARE)
    assert [each for each in CONDITIONS if each not in overdue(nothing, rarest - 1)] == [
        "429 obeyed"
    ]
    assert overdue(nothing, rarest) == list(CONDITIONS)
    assert missed(Counter(CONDITIONS)) == {}
    assert set(RARE) <= set(CONDITIONS)


def test_what_was_never_met_is_told_apart_from_what_was_violated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever reads the end of a run must see which of the two it was."""
    seen = Counter(each for each in CONDITIONS if each not in ("SETTLED", "429 obeyed"))

    late = unmet(seen, 1000)

    assert late == 1
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "OVERDUE: SETTLED (expected within 300 seeds, these were 1000)",
        "not met: 429 obeyed (expected within 2500 seeds, these were 1000)",
    ]
    assert unmet(Counter(), USUAL - 1) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert Verdict(overdue=late).red
    assert Verdict(violations=1).red
    assert not Verdict().red
