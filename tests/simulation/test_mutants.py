"""The simulation itself on trial: every known bug, put back, is found and named."""

import pytest

from services.budget.domain import granting
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.run import replaced, run

BOUND = 12  # Seeds within which each must be found.


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_known_bug_is_caught_by_the_promise_that_it_breaks(mutant: Mutant) -> None:
    """A harness that cannot see a bug proves nothing by seeing none."""
    for seed in range(1, BOUND + 1):
        mix = mutant.world(seed)
        with mutant.put():
            found = {told.split(":")[0] for told in run(seed, mix=mix).violations}
        if found & set(mutant.told_by):
            break
    else:
        pytest.fail(f"{BOUND} seeds did not tell")

    assert run(seed, mix=mix).violations == [], "without the bug the same seed is clean"


def test_a_mutant_whose_place_is_gone_fails_loudly() -> None:
    """Renamed code must not turn a mutant into nothing."""
    with pytest.raises(AttributeError), replaced(granting, "no_such_rule", None):
        pass
