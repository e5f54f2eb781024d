"""Keepa's clock can be hurried and moved, and never goes back."""

import pytest

from deploy.sandbox.clock import FARTHEST_MS, Clock

START = 1_800_000_000_000
SECOND_NS = 1_000_000_000


class Steady:
    """A machine's clock that a test moves by hand."""

    def __init__(self) -> None:
        self.ns = 5

    def __call__(self) -> int:
        """Return its nanoseconds."""
        return self.ns


@pytest.fixture
def steady() -> Steady:
    return Steady()


def test_it_runs_as_fast_as_it_is_told(steady: Steady) -> None:
    """An hour of refill in a minute; and what has passed stays passed when the speed changes."""
    clock = Clock(scale=60, start_ms=START, steady_ns=steady)
    steady.ns += SECOND_NS
    assert clock() == START + 60_000

    clock.run(0)
    steady.ns += SECOND_NS
    assert clock() == START + 60_000

    clock.run(1)
    steady.ns += SECOND_NS
    assert clock() == START + 61_000


def test_it_can_be_moved_forward_only(steady: Steady) -> None:
    """Balances that went back in time would make nonsense of the truth log."""
    clock = Clock(start_ms=START, steady_ns=steady)

    clock.advance(60_200)
    clock.set(START + 100_000)

    assert clock() == START + 100_000
    for wrong in (-1, FARTHEST_MS + 1):
        with pytest.raises(ValueError, match="forward only"):
            clock.advance(wrong)
    with pytest.raises(ValueError, match="forward only"):
        clock.set(START)
    with pytest.raises(ValueError, match="scale"):
        clock.run(-1)


def test_a_client_waits_in_real_time(steady: Steady) -> None:
    """An offers call of five seconds lasts a twelfth of one at scale 60, and nothing at rest."""
    clock = Clock(scale=60, start_ms=START, steady_ns=steady)
    assert clock.real_seconds(5_000) == pytest.approx(1 / 12)

    clock.run(0)
    assert clock.real_seconds(5_000) == 0
