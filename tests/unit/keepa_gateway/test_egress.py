"""Claims about the way out as one value: what stops whom, and what others are told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.keepa_gateway.domain.breaker import FAILURES_TO_OPEN, Breaker, Circuit
from services.keepa_gateway.domain.egress import Egress
from services.keepa_gateway.domain.envelope import Observation
from services.keepa_gateway.domain.facts import CircuitChanged, KeyRejected, RateLimited
from services.keepa_gateway.domain.outcome import Outcome, Verdict, unknown, unsent

NOW = datetime(2026, 11, 20, tzinfo=UTC)
TICK = timedelta(seconds=60.2)
SECOND = timedelta(seconds=1)


def observation(left: int) -> Observation:
    return Observation(
        timestamp_ms=0,
        processing_ms=0,
        tokens_left=left,
        refill_in_ms=30_000,
        refill_rate=5,
        flow_reduction=0.0,
    )


def limited(left: int) -> Outcome:
    return Outcome(verdict=Verdict.RATE_LIMITED, consumed=0, observation=observation(left))


def after(state: Egress, outcome: Outcome, now: datetime = NOW, *, trial: bool = False) -> Egress:
    return state.after(outcome, now, TICK, trial=trial)[0]


def test_an_open_way_stops_nobody() -> None:
    assert Egress().refusal(NOW) is None


def test_a_429_stops_everybody_until_its_tick() -> None:
    """INC-4."""
    state, facts = Egress().after(limited(-3), NOW, TICK, trial=False)

    refusal = state.refusal(NOW + SECOND)
    assert refusal is not None
    assert refusal.reason == "KEEPA_RATE_LIMITED"
    assert refusal.facts == {"balance": -3, "http_status": 429}
    assert state.refusal(NOW + refusal.retry_after + SECOND) is None
    assert [type(fact) for fact in facts] == [RateLimited]


def test_a_second_429_never_shortens_the_pause_and_is_no_news() -> None:
    long, _ = Egress().after(limited(-249), NOW, TICK, trial=False)

    state, facts = long.after(limited(0), NOW + SECOND, TICK, trial=False)

    assert state.paused_until == long.paused_until
    assert facts == []


def test_a_rejected_key_is_told_once_and_stops_all() -> None:
    """Fault 20: the latch wins over every other reason, and no time lifts it."""
    rejected = Outcome(verdict=Verdict.KEY_REJECTED, consumed=0)

    state, facts = Egress().after(rejected, NOW, TICK, trial=False)
    again, silent = state.after(rejected, NOW + SECOND, TICK, trial=False)

    assert [type(fact) for fact in facts] == [KeyRejected]
    assert silent == []
    assert again.refusal(NOW + timedelta(days=30)).reason == "KEEPA_KEY_REJECTED"


@pytest.mark.parametrize("failure", [unsent("no"), unknown("no")])
def test_five_failures_are_told_as_a_change_of_the_circuit(failure: Outcome) -> None:
    """G6."""
    state, told = Egress(), []
    for _ in range(5):
        state, facts = state.after(failure, NOW, TICK, trial=False)
        told += facts

    assert [(fact.before, fact.after) for fact in told] == [(Circuit.CLOSED, Circuit.OPEN)]
    assert all(isinstance(fact, CircuitChanged) for fact in told)
    assert state.refusal(NOW).retry_after >= 60 * SECOND


def test_late_answers_of_old_calls_do_not_close_the_circuit() -> None:
    """Only trials count while it is open; what left before says nothing new."""
    state = Egress()
    for _ in range(5):
        state = after(state, unknown("no"))
    good = Outcome(verdict=Verdict.ANSWERED, consumed=1, observation=observation(100))
    later = NOW + 61 * SECOND

    for _ in range(5):
        state = after(state, good, later)
    assert state.refusal(later).reason == "CIRCUIT_OPEN"

    for _ in range(3):
        state = after(state, good, later, trial=True)
    assert state.refusal(later) is None


def test_a_429_does_not_count_as_a_failure() -> None:
    """Keepa is well; the bucket is empty."""
    state = Egress()
    for _ in range(6):
        state = after(state, limited(0))

    assert state.breaker.circuit(NOW) is Circuit.CLOSED


def test_only_a_believable_balance_breaks_the_silence() -> None:
    heard = after(Egress(), Outcome(verdict=Verdict.ANSWERED, observation=observation(3)))

    assert heard.answered_at == NOW
    assert after(Egress(), Outcome(verdict=Verdict.ANSWERED)).answered_at is None


instants = st.none() | st.integers(-120, 120).map(lambda seconds: NOW + seconds * SECOND)
open_breakers = st.builds(
    Breaker,
    failures=st.integers(FAILURES_TO_OPEN, 9),
    trials=st.integers(0, 2),
    opened_until=instants,
)
breakers = st.builds(Breaker, failures=st.integers(0, FAILURES_TO_OPEN - 1)) | open_breakers
ways_out = st.builds(
    Egress,
    breaker=breakers,
    paused_until=instants,
    pause_balance=st.integers(-9, 9),
    rejected_at=instants,
    answered_at=instants,
    quiet_until=instants,
)
outcomes = st.builds(
    Outcome,
    verdict=st.sampled_from(Verdict),
    consumed=st.none() | st.integers(0, 9),
    observation=st.none() | st.integers(-9, 9).map(observation),
)


@given(ways_out, outcomes)
def test_what_moves_nothing_but_the_last_answer_is_known_before(
    state: Egress, outcome: Outcome
) -> None:
    """G5, G6: what is stored without the way out's lock must be nothing that others would miss."""
    moved, facts = state.after(outcome, NOW, TICK, trial=False)
    silent = replace(moved, answered_at=state.answered_at)

    assert state.unmoved_by(outcome, NOW, TICK) == (silent == state and not facts)
    assert moved.answered_at == (NOW if outcome.observation is not None else state.answered_at)


@given(ways_out, outcomes)
def test_whoever_is_stopped_or_let_go_by_an_outcome_is_moved_by_it(
    state: Egress, outcome: Outcome
) -> None:
    """G5, G6: what moves nothing is nothing to any caller, now or later."""
    moved = after(state, outcome)

    if any(seen(moved, seconds) != seen(state, seconds) for seconds in (0, 1, 61, 119)):
        assert not state.unmoved_by(outcome, NOW, TICK)


def seen(state: Egress, seconds: int) -> tuple[object, ...]:
    """What a caller meets after a while."""
    now = NOW + seconds * SECOND
    refusal = state.refusal(now)
    why = None if refusal is None else (refusal.reason, refusal.facts, refusal.retry_after)
    return why, state.quiet_for(now), state.breaker.circuit(now)


@given(outcomes)
def test_a_way_out_on_which_nothing_happened_is_moved_by_what_is_wrong(outcome: Outcome) -> None:
    """G6: of an open way only good answers, and those that Keepa rejects, leave all as it is."""
    fine = outcome.verdict in (Verdict.ANSWERED, Verdict.REJECTED)

    assert Egress().unmoved_by(outcome, NOW, TICK) == fine
