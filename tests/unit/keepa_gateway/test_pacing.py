"""Claims about when the next call may leave."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.keepa_gateway.domain.breaker import Breaker, Circuit
from services.keepa_gateway.domain.envelope import Observation
from services.keepa_gateway.domain.pacing import Throttle, pause

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TICK = timedelta(seconds=60.2)


def throttle(burst: int = 20) -> Throttle:
    return Throttle(full_at=NOW, interval=3 * SECOND, burst=burst)


def observation(left: int, refill_in_ms: int = 45_592, rate: int = 5) -> Observation:
    return Observation(
        timestamp_ms=0,
        processing_ms=0,
        tokens_left=left,
        refill_in_ms=refill_in_ms,
        refill_rate=rate,
        flow_reduction=0.0,
    )


def test_a_burst_of_twenty_then_one_every_three_seconds() -> None:
    """T10: 20 requests per minute with bursts of 20."""
    state = throttle()
    for _ in range(20):
        state = state.take(NOW)
        assert isinstance(state, Throttle)

    assert state.take(NOW) == 3 * SECOND
    assert isinstance(state.take(NOW + 3 * SECOND), Throttle)


@given(st.lists(st.floats(0, 120), max_size=200))
def test_no_minute_ever_holds_more_than_burst_and_rate(offsets: list[float]) -> None:
    state, granted = throttle(), []
    for offset in sorted(offsets):
        now = NOW + offset * SECOND
        taken = state.take(now)
        if isinstance(taken, Throttle):
            state = taken
            granted.append(now)

    for start in granted:
        inside = [at for at in granted if start <= at < start + 60 * SECOND]
        assert len(inside) <= 40


def test_background_work_leaves_places_to_people() -> None:
    state = throttle()
    for _ in range(10):
        state = state.take(NOW, kept_back=10)
        assert isinstance(state, Throttle)

    assert isinstance(state.take(NOW, kept_back=10), timedelta)
    assert isinstance(state.take(NOW), Throttle)


def test_a_debt_is_waited_out_to_the_tick_that_ends_it() -> None:
    """INC-4: -249 at 5 per minute takes 50 ticks; one tick would have met 50 more refusals."""
    waited = pause(observation(-249), TICK)

    exact = timedelta(milliseconds=45_592) + 49 * TICK
    assert exact < waited < exact + 4 * SECOND


@pytest.mark.parametrize("left", [0, 3])
def test_a_balance_of_zero_waits_for_one_tick(left: int) -> None:
    waited = pause(observation(left), TICK)

    assert timedelta(milliseconds=45_592) < waited < timedelta(milliseconds=46_000)


def test_without_a_believable_balance_one_whole_tick_is_waited() -> None:
    assert TICK < pause(None, TICK) < TICK + SECOND


def test_scaled_time_bounds_the_wait() -> None:
    """The sandbox runs its ticks faster."""
    assert pause(observation(0, refill_in_ms=45_592), SECOND) < 2 * SECOND


def failing(breaker: Breaker, count: int) -> Breaker:
    for _ in range(count):
        breaker = breaker.failed(NOW)
    return breaker


def test_five_failures_open_and_three_trials_close() -> None:
    """G6."""
    assert failing(Breaker(), 4).circuit(NOW) is Circuit.CLOSED
    breaker = failing(Breaker(), 5)
    assert breaker.circuit(NOW) is Circuit.OPEN
    assert breaker.circuit(NOW + 59 * SECOND) is Circuit.OPEN

    later = NOW + 60 * SECOND
    assert breaker.circuit(later) is Circuit.TRYING
    for _ in range(2):
        breaker = breaker.succeeded(later)
        assert breaker.circuit(later) is Circuit.TRYING
    assert breaker.succeeded(later).circuit(later) is Circuit.CLOSED


def test_a_failed_trial_opens_for_the_whole_time_again() -> None:
    later = NOW + 60 * SECOND
    breaker = failing(Breaker(), 5).succeeded(later).failed(later)

    assert breaker.circuit(later + 59 * SECOND) is Circuit.OPEN
    assert breaker.trials == 0


def test_the_wait_told_covers_the_trials() -> None:
    """Who waits exactly as told must get through: the breaker closes with the third trial (G6)."""
    breaker = failing(Breaker(), 5)
    told = breaker.closes_in(NOW)

    trial = NOW + 61 * SECOND
    for _ in range(3):
        breaker = breaker.succeeded(trial)
        last, trial = trial, trial + SECOND

    assert breaker.circuit(last) is Circuit.CLOSED
    assert last < NOW + told <= last + 2 * SECOND
    assert breaker.closes_in(last) == 0 * SECOND


def test_one_success_forgets_failures() -> None:
    assert failing(failing(Breaker(), 4).succeeded(NOW), 4).circuit(NOW) is Circuit.CLOSED
