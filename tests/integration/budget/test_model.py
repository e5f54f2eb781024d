"""Two replicas over PostgreSQL against the pure ledger: the same commands, the same answers."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from uuid import UUID, uuid5

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from services.budget.api import responses
from services.budget.domain.balance import EPOCH, MILLISECOND, Observation
from services.budget.domain.commands import (
    Admit,
    Command,
    Commit,
    Extend,
    Leave,
    Look,
    Release,
    Report,
    Reserve,
    Sweep,
)
from services.budget.domain.decide import decide
from services.budget.domain.draft import Decision
from services.budget.domain.evolve import forget
from services.budget.domain.reservation import Reservation, Terms
from services.budget.domain.rules import STANDARD, Kind, Priority, Reason
from services.budget.domain.state import State
from services.budget.domain.values import replace
from services.chassis.errors import Refusal
from tests.integration.budget.support import Replica, replica

NAMESPACE = UUID("0a2b7c0e-0f5e-4f0c-9d55-5a8a2f0c7b11")
EXAMPLES, STEPS = 20, 30
HOUR, INSTANT = timedelta(hours=1), timedelta(microseconds=100)
T = TypeVar("T")
counter = count()

replicas = st.integers(0, 1)
amounts = st.integers(1, 40)


class Thread:
    """An event loop beside the test's own, for rules that are plain functions."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run some work to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def stop(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Machine(RuleBasedStateMachine):
    """One account that both sides begin anew; every rule asks both the same.

    Attributes:
        model: The state that is never stored and never forgets.
        asked: Every command so far, to be repeated.
    """

    thread: Thread
    pair: tuple[Replica, Replica]

    def __init__(self) -> None:
        super().__init__()
        self.number = next(counter)
        self.ids = count()
        self.account = f"model-{self.number}"
        self.model = State(account=self.account, rules=STANDARD)
        self.asked: list[Command] = []
        self.begun_ms = (datetime.now(UTC) - EPOCH) // MILLISECOND

    def fresh(self) -> UUID:
        """Return an id that no example used before."""
        return uuid5(NAMESPACE, f"{self.number}/{next(self.ids)}")

    def any_of(self, place: int) -> UUID:
        """Return one of the reservations that there are, or one that does not exist."""
        known = [each.request_id for each in self.asked if isinstance(each, Reserve)]
        return known[place % len(known)] if known else self.fresh()

    def do(self, at: int, command: Command) -> None:
        """Ask a replica and the model, and compare what was told and what is left."""
        self.asked.append(command)
        stored, look, now = self.thread.run(self._ask(self.pair[at], command))
        self._compare(stored, self._decide(command, now))
        assert forget(self.model) == look.state

    async def _ask(self, one: Replica, command: Command) -> Any:
        try:
            stored: Any = await one.desk.at(self.account, command)
        except Refusal as refusal:
            stored = refusal
        look = await one.desk.at(self.account, Look())
        if not isinstance(stored, Refusal):
            return stored, look, stored.now
        # A refusal does not tell its instant; where it ended a wait, the entry does.
        written = await one.ledger.page(self.account, self.model.sequence, 1)
        return stored, look, written[0].at if written else look.now

    def _decide(self, command: Command, now: datetime) -> Any:
        """Decide as a writer does: the command, and then whoever waits."""
        outcome = decide(self.model, command, now)
        if isinstance(outcome, Decision):
            self.model = outcome.state
        if self.model.waiting:
            admitted = decide(self.model, Admit(), now)
            assert isinstance(admitted, Decision)
            self.model = admitted.state
        return outcome.refusal or outcome.answer if isinstance(outcome, Decision) else outcome

    def _compare(self, stored: Any, expected: Any) -> None:
        if isinstance(expected, Refusal):
            assert isinstance(stored, Refusal), (stored, expected)
            assert (stored.reason, stored.facts) == (expected.reason, expected.facts)
        elif isinstance(expected, Reservation):
            assert responses.reservation(stored.answer) == responses.reservation(expected)
        else:
            assert stored.answer == expected

    def seen(self, tokens: int, age: int) -> Observation:
        """Build an observation; the older ones come late."""
        made = self.begun_ms + 10 * self.model.sequence - age
        return Observation(arrived_ms=made, tokens=tokens, refill_in_ms=60_000, refill_rate=5)

    @initialize(tokens=st.integers(60, 300))
    def open(self, tokens: int) -> None:
        """Create the account by its first balance."""
        self.thread.run(self.pair[0].ledger.open_account(self.account))
        self.do(0, Report(request_id=self.fresh(), observation=self.seen(tokens, 0)))

    @rule(
        at=replicas,
        tokens=st.integers(-20, 300),
        age=st.sampled_from([0, 0, 500]),
        up=st.booleans(),
    )
    def report(self, at: int, tokens: int, age: int, *, up: bool) -> None:
        """Keepa states a balance, now or late, asked for before or after what was read."""
        after = self.model.sequence if up else 0
        seen = self.seen(tokens, age)
        self.do(at, Report(request_id=self.fresh(), observation=seen, after_sequence=after))

    @rule(
        at=replicas,
        tokens=amounts,
        parent=st.none() | st.integers(0, 9),
        kind=st.sampled_from([Kind.CALL, Kind.CALL, Kind.ENVELOPE]),
        priority=st.sampled_from(Priority),
        hold=st.sampled_from([HOUR, HOUR, INSTANT]),
        wait=st.sampled_from([timedelta(0), HOUR]),
    )
    def reserve(self, at: int, *, parent: int | None, wait: timedelta, **asked: Any) -> None:
        """A call or an envelope of any priority, from the account or from an envelope, or queued."""
        alone = parent is None or asked["kind"] is Kind.ENVELOPE
        over = None if alone or parent is None else self.any_of(parent)
        terms = Terms(id=self.fresh(), account=self.account, parent=over, **asked)
        self.do(at, Reserve(terms=terms, max_wait=wait))

    @rule(
        at=replicas,
        of=st.integers(0, 50),
        tokens=st.integers(0, 60),
        own=st.none() | st.integers(-9, 300),
    )
    def commit(self, at: int, of: int, tokens: int, own: int | None) -> None:
        """A cost of any size at any time, with the balance of its answer or without."""
        seen = None if own is None else self.seen(own, 0)
        self.do(
            at,
            Commit(
                request_id=self.fresh(),
                reservation=self.any_of(of),
                tokens=tokens,
                observation=seen,
            ),
        )

    @rule(
        at=replicas,
        of=st.integers(0, 50),
        reason=st.sampled_from([Reason.NOT_SENT, Reason.FINISHED]),
    )
    def release(self, at: int, of: int, reason: Reason) -> None:
        """Something is given back, or an envelope ends."""
        self.do(at, Release(request_id=self.fresh(), reservation=self.any_of(of), reason=reason))

    @rule(at=replicas, of=st.integers(0, 50))
    def extend(self, at: int, of: int) -> None:
        """A hold is to last longer."""
        self.do(at, Extend(request_id=self.fresh(), reservation=self.any_of(of), hold=2 * HOUR))

    @rule(at=replicas, of=st.integers(0, 50))
    def leave(self, at: int, of: int) -> None:
        """A caller stops waiting."""
        self.do(at, Leave(reservation=self.any_of(of)))

    @rule(at=replicas)
    def sweep(self, at: int) -> None:
        """What has run out is ended."""
        self.do(at, Sweep())

    @rule(at=replicas, of=st.integers(0, 200))
    def repeat(self, at: int, of: int) -> None:
        """Somebody asks once more, perhaps another replica."""
        self.do(at, self.asked[of % len(self.asked)])

    @rule(at=replicas, of=st.integers(0, 200))
    def reuse(self, at: int, of: int) -> None:
        """An id comes back with other content."""
        command = self.asked[of % len(self.asked)]
        if isinstance(command, Commit):
            self.do(at, replace(command, tokens=command.tokens + 1))
        elif isinstance(command, Reserve):
            self.do(at, replace(command, terms=replace(command.terms, tokens=41)))

    def teardown(self) -> None:
        """The ledger, read from its first entry, gives the state that both sides have."""
        if self.asked:
            findings = self.thread.run(self.pair[1].readings.verify(self.account))
            assert findings.violations == ()


@pytest.fixture
def thread() -> Iterator[Thread]:
    """Run a second event loop."""
    thread = Thread()
    yield thread
    thread.stop()


def test_the_stored_ledger_answers_every_command_as_the_pure_one_does(
    fresh_service_database: Callable[[str], str], thread: Thread
) -> None:
    """INV-2, INV-6, T3: whatever is asked, twice, late or wrongly, of whichever replica.

    The replicas take turns at random, so that batches are stored at once by the one that wrote
    last, and by a turn after the other did.
    """
    stack = AsyncExitStack()
    url = fresh_service_database("budget")
    pair = tuple(thread.run(stack.enter_async_context(replica(url))) for _ in range(2))
    machine = type("Bound", (Machine,), {"thread": thread, "pair": pair})
    quick = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # The story as it happened; a shorter one would take minutes.
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=quick)
    finally:
        thread.run(stack.aclose())
