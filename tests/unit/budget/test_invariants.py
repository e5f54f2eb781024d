"""Whatever happens in whatever order, the ledger's promises hold: INV-1 to INV-8 on the core."""
# ruff: noqa: D102, FBT001 - the names say it, and hypothesis passes by name

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

from services.budget.domain.commands import Commit, Release, Reserve
from services.budget.domain.draft import Decision
from services.budget.domain.evolve import forget, replay
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import Kind, Priority, Reason, Stage
from services.budget.domain.state import State
from services.chassis.errors import Refusal
from tests.unit.budget.support import Book, asked

TERMINAL = {Stage.COMMITTED, Stage.RELEASED, Stage.SETTLED}
SMALL = st.integers(1, 60)


class Keepa:
    """The bucket itself: what is really there, by Keepa's own rules."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def tick(self) -> None:
        self.tokens = max(self.tokens, min(1200, self.tokens + 20))


class Ledger(RuleBasedStateMachine):
    """Random callers, crashes, strangers and reordered answers over one account."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.keepa = Keepa(600)
        self.calls: list[Reservation] = []
        self.envelopes: list[Reservation] = []
        self.sent: dict[object, int] = {}
        self.late: list[Commit] = []
        self.outcomes: dict[object, Reservation] = {}
        self.book.see(600)

    @rule(tokens=SMALL, priority=st.sampled_from(Priority), wait=st.booleans())
    def reserve(self, tokens: int, priority: Priority, wait: bool) -> None:
        self._reserve(tokens, priority=priority, wait=wait)

    @rule(tokens=st.integers(20, 300))
    def reserve_envelope(self, tokens: int) -> None:
        self._reserve(tokens, kind=Kind.ENVELOPE)

    @precondition(lambda self: self.envelopes)
    @rule(data=st.data(), tokens=SMALL)
    def draw(self, data: st.DataObject, tokens: int) -> None:
        envelope = data.draw(st.sampled_from(self.envelopes))
        self._reserve(tokens, parent=envelope.id)

    def _reserve(self, tokens: int, *, wait: bool = False, **terms: object) -> None:
        before = self.book.available
        cash = self.book.state.cash(self.book.now)
        command = Reserve(terms=asked(tokens, **terms), max_wait=timedelta(seconds=90 * wait))
        outcome = self.book.do(command)
        if isinstance(outcome, Refusal):
            assert self.book.available == before
            return
        held = outcome.answer
        if held.stage is Stage.WAITING:
            return
        if held.terms.parent is None:
            assert before - tokens >= held.terms.priority.floor  # INV-1
            assert self.book.available == before - tokens
        else:
            assert cash - tokens >= 10
            assert self.book.available == before
        (self.envelopes if held.terms.kind is Kind.ENVELOPE else self.calls).append(held)
        self.outcomes[held.id] = held
        assert self.book.do(command).answer == held  # INV-2

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), share=st.sampled_from([0, 1, 2, 3]), told=st.booleans())
    def answer(self, data: st.DataObject, share: int, told: bool) -> None:
        """Keepa answers a call: nothing, half, all, or more than was held."""
        call = self._take(data, self.calls)
        cost = call.terms.tokens * share // 2
        self.keepa.tokens -= cost
        commit = Commit(
            request_id=uuid4(),
            reservation=call.id,
            tokens=cost,
            observation=self.book.stated(self.keepa.tokens) if told else None,
        )
        self.late.append(commit)
        if data.draw(st.booleans()):
            self._deliver(commit)

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def deliver_again_or_late(self, data: st.DataObject) -> None:
        self._deliver(data.draw(st.sampled_from(self.late)))

    def _deliver(self, commit: Commit) -> None:
        outcome = self.book.do(commit)
        assert isinstance(outcome, Decision)  # INV-4
        assert outcome.answer.stage is Stage.COMMITTED
        assert self.book.view(outcome.answer).committed == commit.tokens

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        call = self._take(data, self.calls)
        outcome = self.book.release(call)
        stage = self.book.view(call).stage
        assert isinstance(outcome, Reservation) or stage in TERMINAL

    @precondition(lambda self: self.envelopes)
    @rule(data=st.data())
    def end_envelope(self, data: st.DataObject) -> None:
        envelope = self._take(data, self.envelopes)
        self.book.release(envelope, Reason.FINISHED)
        again = Release(request_id=uuid4(), reservation=envelope.id, reason=Reason.FINISHED)
        assert isinstance(self.book.do(again), Decision)

    @rule(seconds=st.sampled_from([1, 20, 60, 100]))
    def wait(self, seconds: int) -> None:
        before = self.book.now.timestamp() * 1000 // 60_200
        self.book.pass_time(seconds)
        for _ in range(int(self.book.now.timestamp() * 1000 // 60_200 - before)):
            self.keepa.tick()
        self.book.sweep()
        self.book.admit()

    @rule(tokens=SMALL)
    def stranger_spends(self, tokens: int) -> None:
        self.keepa.tokens -= tokens

    @rule()
    def ask_token(self) -> None:
        quiet = not self.late_undelivered()
        self.book.see(self.keepa.tokens)
        if quiet and not self.book.state.held_calls and not self.book.state.unsettled:
            assert self.book.state.balance(self.book.now) == self.keepa.tokens  # INV-8

    def late_undelivered(self) -> list[Commit]:
        views = ((commit, self.book.state.find(commit.reservation)) for commit in self.late)
        return [commit for commit, view in views if view and view.stage is not Stage.COMMITTED]

    def _take(self, data: st.DataObject, among: list[Reservation]) -> Reservation:
        taken = data.draw(st.sampled_from(among))
        among.remove(taken)
        return taken

    @invariant()
    def replay_gives_the_stored_state(self) -> None:
        replayed = replay(State(account="default"), self.book.entries)
        assert forget(replayed) == forget(self.book.state)  # INV-6

    @invariant()
    def sums_are_what_they_sum(self) -> None:
        state = self.book.state
        roots = sum(c.tokens for c in state.uncovered.values() if c.parent is None)
        assert state.charged == sum(r.charge for r in state.live.values()) + roots
        calls = [r for r in state.live.values() if r.terms.kind is Kind.CALL]
        uncovered = sum(cost.tokens for cost in state.uncovered.values())
        assert state.calls == sum(call.bound for call in calls) + uncovered
        assert state.uncovered_tokens == uncovered
        assert state.held_calls == sum(call.stage is Stage.HELD for call in calls)
        unknown = [call for call in calls if call.stage is Stage.UNKNOWN]
        assert state.unsettled == sum(call.terms.tokens for call in unknown)
        assert state.charged >= state.calls >= 0
        assert all(r.rest >= 0 and r.charge >= 0 for r in state.live.values())

    @invariant()
    def nothing_is_held_past_its_sweep(self) -> None:
        for reservation in self.book.state.live.values():
            if reservation.stage is Stage.HELD:
                assert reservation.expires_at > self.book.now - timedelta(seconds=1)  # INV-3

    @invariant()
    def sequences_have_no_gap_and_the_anchor_never_moves_back(self) -> None:
        assert [e.sequence for e in self.book.entries] == list(
            range(1, self.book.state.sequence + 1)
        )
        anchors = [
            entry.fact.observation.made_ms
            for entry in self.book.entries
            if getattr(entry.fact, "newest", False)
        ]
        assert anchors == sorted(anchors)  # INV-7


def test_the_promises_hold_in_whatever_order_things_happen() -> None:
    """Money is lost in the order nobody thought of: INV-1 to INV-8 after every single step."""
    run_state_machine_as_test(
        Ledger,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
