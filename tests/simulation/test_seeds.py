"""The ledger under everything at once: some hundred seeds, each with its own mix of faults."""

from collections import Counter

import pytest

from tests.simulation.run import run
from tests.simulation.sometimes import overdue

pytestmark = pytest.mark.timeout(400)  # Fifteen seconds of one core; others may want it, too.
SEEDS = range(1, 301)
TRACED = (7, 8)


def test_no_seed_violates_a_promise_and_together_they_meet_every_hard_case() -> None:
    """INV-1 to INV-12: what goes wrong one at a time goes wrong together, too.

    A violation names its seed: ``python -m tests.simulation --seed N -v`` tells the whole story.
    """
    seen: Counter[str] = Counter()
    violations = []
    for seed in SEEDS:
        outcome = run(seed)
        seen += outcome.seen
        violations += [f"seed {seed}: {told}" for told in outcome.violations]

    assert violations == []
    assert overdue(seen, len(SEEDS)) == []


def test_the_same_seed_is_the_same_run() -> None:
    """A failure that cannot be repeated cannot be understood."""
    for seed in TRACED:
        once, again = run(seed, traced=True), run(seed, traced=True)

        assert once.trace == again.trace
        assert once.story == again.story
        assert len(once.story) > 20
    assert run(TRACED[0], traced=True).trace != run(TRACED[1], traced=True).trace
