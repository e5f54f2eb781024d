"""Claims about the way out as one value: what stops whom, and what others are told."""

from datetime import UTC, datetime, timedelta

import pytest

from services.keepa_gateway.domain.breaker import Circuit
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
