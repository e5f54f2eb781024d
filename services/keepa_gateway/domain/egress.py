"""What stands between a request and Keepa right now, as one value shared by all replicas."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.chassis.errors import Kind, Refusal
from services.keepa_gateway.domain.breaker import CLOSED, Breaker, Circuit
from services.keepa_gateway.domain.facts import CircuitChanged, Fact, KeyRejected, RateLimited
from services.keepa_gateway.domain.outcome import Outcome, Verdict
from services.keepa_gateway.domain.pacing import pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """The state of the way out.

    Attributes:
        paused_until: A 429 holds everybody until then.
        pause_balance: The balance that came with it.
        rejected_at: Since when Keepa does not take the key.
        answered_at: When Keepa last answered with a balance.
        quiet_until: Calls wait a moment so that one balance can settle an unknown outcome.
    """

    breaker: Breaker = CLOSED
    paused_until: datetime | None = None
    pause_balance: int = 0
    rejected_at: datetime | None = None
    answered_at: datetime | None = None
    quiet_until: datetime | None = None

    def refusal(self, now: datetime) -> Refusal | None:
        """Why no call may leave at ``now``, or nothing when one may."""
        if self.rejected_at is not None:
            return key_rejected()
        if self.paused_until is not None and now < self.paused_until:
            return Refusal(
                Kind.RESOURCE_EXHAUSTED,
                "KEEPA_RATE_LIMITED",
                f"Keepa answered 429 at a balance of {self.pause_balance}; everybody waits.",
                facts={"balance": self.pause_balance, "http_status": 429},
                retry_after=self.paused_until - now,
            )
        if self.breaker.circuit(now) is not Circuit.CLOSED:
            return circuit_open(self.breaker, now)
        return None

    def quiet_for(self, now: datetime) -> timedelta:
        """How long a call must wait for the quiet moment to end."""
        if self.quiet_until is None:
            return timedelta(0)
        return max(self.quiet_until - now, timedelta(0))

    def after(
        self, outcome: Outcome, now: datetime, tick: timedelta, *, trial: bool
    ) -> tuple["Egress", list[Fact]]:
        """The state after one more answer, and what must be told about it.

        While the circuit is not closed only trials count: a late answer of a call that left
        before it opened says nothing new.
        """
        state, facts = self, list[Fact]()
        if outcome.observation is not None:
            state = replace(state, answered_at=now)
        if outcome.verdict is Verdict.RATE_LIMITED:
            state, facts = _paused(state, outcome, now, tick)
        if outcome.verdict is Verdict.KEY_REJECTED and state.rejected_at is None:
            state = replace(state, rejected_at=now)
            facts.append(KeyRejected(detected_at=now))
        if trial or self.breaker.circuit(now) is Circuit.CLOSED:
            state, changed = _counted(state, outcome, now)
            facts += changed
        return state, facts

    def unmoved_by(self, outcome: Outcome, now: datetime, tick: timedelta) -> bool:
        """Whether a call's outcome leaves all as it is but the instant of the last answer."""
        after, facts = self.after(outcome, now, tick, trial=False)
        return not facts and replace(after, answered_at=self.answered_at) == self


def key_rejected() -> Refusal:
    """Refuse because of the key, with what an operator can do."""
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "KEEPA_KEY_REJECTED",
        "Keepa does not accept the key. Replace it, restart the gateway, and lift the latch with "
        "CheckConnection and retry_rejected_key.",
    )


def circuit_open(breaker: Breaker, now: datetime) -> Refusal:
    """Refuse because of repeated failures."""
    return Refusal(
        Kind.UNAVAILABLE,
        "CIRCUIT_OPEN",
        f"Keepa failed {breaker.failures} times in a row; trials decide when calls pass again.",
        facts={"failures": breaker.failures},
        retry_after=breaker.closes_in(now),
    )


def _paused(
    state: Egress, outcome: Outcome, now: datetime, tick: timedelta
) -> tuple[Egress, list[Fact]]:
    until = now + pause(outcome.observation, tick)
    if state.paused_until is not None and until <= state.paused_until:
        return state, []
    balance = outcome.observation.tokens_left if outcome.observation else 0
    fact = RateLimited(balance=balance, paused_until=until)
    return replace(state, paused_until=until, pause_balance=balance), [fact]


def _counted(state: Egress, outcome: Outcome, now: datetime) -> tuple[Egress, list[Fact]]:
    before = state.breaker
    after = before.failed(now) if outcome.verdict.harms else before.succeeded(now)
    facts: list[Fact] = []
    if before.circuit(now) is not after.circuit(now):
        facts.append(
            CircuitChanged(before=before.circuit(now), after=after.circuit(now), changed_at=now)
        )
    return replace(state, breaker=after), facts
