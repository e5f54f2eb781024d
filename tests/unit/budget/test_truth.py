"""The ledger beside the bucket it rations: with no stranger about, Keepa never sees a debt."""
# ruff: noqa: D102, FBT001 - the names say it, and hypothesis passes by name

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.budget.domain.balance import EPOCH, MILLISECOND, Observation
from services.budget.domain.commands import Commit, Release, Report, Reserve
from services.budget.domain.draft import Decision
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import Kind, Priority, Reason, Stage
from services.chassis.errors import Refusal
from tests.unit.budget.support import TICK_MS, Book, asked

RATE, CAPACITY = 20, 1200
HOLD = timedelta(seconds=150)
SAFE = timedelta(seconds=62)  # Longer than any step of time.


@dataclass
class Call:
    """A call on its way: what it will cost, and whether Keepa has charged it yet."""

    held: Reservation
    cost: int
    read: int
    arrived_ms: int
    charged: bool


class World(RuleBasedStateMachine):
    """Calls answered in any order, twice, late or never, over a bucket that we can see into."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.tokens = 300
        self.waiting: list[Reservation] = []  # Reserved and not sent.
        self.running: list[Call] = []  # Sent and not answered.
        self.answers: list[Commit | Report] = []  # Made, and delivered at any time, any often.
        self.envelopes: list[Reservation] = []
        self.book.see(self.tokens)

    @property
    def clock_ms(self) -> int:
        return (self.book.now - EPOCH) // MILLISECOND

    def stated(self, arrived_ms: int) -> Observation:
        return Observation(
            arrived_ms=arrived_ms,
            processing_ms=self.clock_ms - arrived_ms,
            tokens=self.tokens,
            refill_in_ms=TICK_MS - self.clock_ms % TICK_MS,
            refill_rate=RATE,
        )

    @rule(
        tokens=st.integers(1, 120),
        priority=st.sampled_from(Priority),
        kind=st.sampled_from(Kind),
        patient=st.booleans(),
    )
    def reserve(self, tokens: int, priority: Priority, kind: Kind, patient: bool) -> None:
        terms = asked(tokens, priority=priority, kind=kind, hold=HOLD)
        self._keep(Reserve(terms=terms, max_wait=timedelta(seconds=70 * patient)))

    @precondition(lambda self: self.envelopes)
    @rule(data=st.data(), tokens=st.integers(1, 60))
    def draw(self, data: st.DataObject, tokens: int) -> None:
        envelope = data.draw(st.sampled_from(self.envelopes))
        self._keep(Reserve(terms=asked(tokens, parent=envelope.id, hold=HOLD)))

    def _keep(self, command: Reserve) -> None:
        outcome = self.book.do(command)
        if isinstance(outcome, Refusal) or outcome.answer.stage is Stage.WAITING:
            return
        envelope = outcome.answer.terms.kind is Kind.ENVELOPE
        (self.envelopes if envelope else self.waiting).append(outcome.answer)

    @precondition(lambda self: self.envelopes)
    @rule(data=st.data())
    def end_an_envelope(self, data: st.DataObject) -> None:
        envelope = data.draw(st.sampled_from(self.envelopes))
        self.envelopes.remove(envelope)
        self.book.release(envelope, Reason.FINISHED)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), percent=st.integers(0, 100), at_once=st.booleans())
    def send(self, data: st.DataObject, percent: int, at_once: bool) -> None:
        held = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(held)
        if held.expires_at - self.book.now < SAFE:
            return  # A gateway does not send what it may not finish; the hold just expires.
        cost = held.terms.tokens * percent // 100
        call = Call(held, cost, self.book.state.sequence, self.clock_ms, charged=False)
        if at_once:
            self._charge(call)
        self.running.append(call)

    def _charge(self, call: Call) -> None:
        if not call.charged:
            self.tokens -= call.cost
            call.charged = True

    @precondition(lambda self: self.running)
    @rule(data=st.data(), told=st.booleans(), lost=st.booleans())
    def answer(self, data: st.DataObject, told: bool, lost: bool) -> None:
        call = data.draw(st.sampled_from(self.running))
        self.running.remove(call)
        self._charge(call)
        if lost:
            return
        commit = Commit(
            request_id=uuid4(),
            reservation=call.held.id,
            tokens=call.cost,
            observation=self.stated(call.arrived_ms) if told else None,
            after_sequence=call.read,
        )
        self.answers.append(commit)

    @rule()
    def ask_token(self) -> None:
        report = Report(
            request_id=uuid4(),
            observation=self.stated(self.clock_ms),
            after_sequence=self.book.state.sequence,
        )
        self.answers.append(report)

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        answer = data.draw(st.sampled_from(self.answers))
        assert isinstance(self.book.do(answer), Decision)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(held)
        release = Release(request_id=uuid4(), reservation=held.id, reason=Reason.NOT_SENT)
        assert isinstance(self.book.do(release), Decision)

    @rule(seconds=st.sampled_from([0.5, 10, 45, 60.2, 61]))
    def pass_time(self, seconds: float) -> None:
        due = [call for call in self.running if self.book.now > call.held.expires_at - SAFE]
        for call in due:  # Its class deadline comes first: charged, and the answer is lost.
            self.running.remove(call)
            self._charge(call)
        before = self.clock_ms // TICK_MS
        self.book.pass_time(seconds)
        for _ in range(self.clock_ms // TICK_MS - before):
            self.tokens = max(self.tokens, min(CAPACITY, self.tokens + RATE))

    @rule()
    def sweep_and_admit(self) -> None:
        self.book.sweep()
        before = set(self.book.state.live)
        self.book.admit()
        for key in set(self.book.state.live) - before:
            held = self.book.state.live[key]
            (self.envelopes if held.terms.kind is Kind.ENVELOPE else self.waiting).append(held)

    @invariant()
    def the_ledger_never_believes_more_than_there_is(self) -> None:
        """INV-1 against the truth: tokens there, less what calls may still take."""
        exposed = sum(call.held.terms.tokens for call in self.running if not call.charged)
        exposed += sum(held.terms.tokens for held in self.waiting)
        free = self.tokens - exposed
        assert self.book.state.cash(self.book.now) <= free
        assert self.book.available <= free

    @invariant()
    def keepa_never_sees_a_debt(self) -> None:
        assert self.tokens >= 0

    @invariant()
    def no_stranger_is_invented(self) -> None:
        """Every missing token is one of our own calls, so none may be booked as foreign."""
        assert self.book.total("Foreign") == 0


def check(examples: int, steps: int = 40) -> None:
    run_state_machine_as_test(
        World,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_without_a_stranger_keepa_never_sees_a_debt() -> None:
    """The product's promise: nobody's click or crash ever drives the account below zero."""
    check(80)
