"""The ledger beside the bucket it rations: with no stranger about, Keepa never sees a debt."""
# ruff: noqa: D102, FBT001 - the names say it

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

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
    charged: bool = False


class World:
    """Calls answered in any order, twice, late or never, over a bucket that we can see into."""

    def __init__(self, tokens: int = 300) -> None:
        self.book = Book()
        self.tokens = tokens
        self.unsent: list[Reservation] = []
        self.running: list[Call] = []  # Sent and not answered.
        self.answers: list[Commit | Report] = []  # Made; delivered at any time, any often.
        self.envelopes: list[Reservation] = []
        self._known: set[UUID] = set()
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

    def reserve(self, tokens: int, patient: bool, **terms: object) -> None:
        asking = Reserve(
            terms=asked(tokens, hold=HOLD, **terms), max_wait=timedelta(seconds=70 * patient)
        )
        outcome = self.book.do(asking)
        assert isinstance(outcome, Refusal) or outcome.answer.terms == asking.terms
        self._meet()

    def _meet(self) -> None:
        """Hand new grants, those of the queue included, to whoever asked for them."""
        for key in set(self.book.state.live) - self._known:
            self._known.add(key)
            held = self.book.state.live[key]
            envelope = held.terms.kind is Kind.ENVELOPE
            (self.envelopes if envelope else self.unsent).append(held)

    def end_an_envelope(self, pick: int) -> None:
        self.book.release(self.envelopes.pop(pick % len(self.envelopes)), Reason.FINISHED)

    def send(self, pick: int, percent: int, at_once: bool) -> None:
        held = self.unsent.pop(pick % len(self.unsent))
        if self._late(held):
            return  # A gateway does not send what it may not finish; the hold just expires.
        cost = held.terms.tokens * percent // 100
        call = Call(held, cost, self.book.state.sequence, self.clock_ms)
        if at_once:
            self._charge(call)
        self.running.append(call)

    def _charge(self, call: Call) -> None:
        self.tokens -= 0 if call.charged else call.cost
        call.charged = True

    def answer(self, pick: int, told: bool, lost: bool) -> None:
        call = self.running.pop(pick % len(self.running))
        self._charge(call)
        if not lost:
            self.answers.append(
                Commit(
                    request_id=uuid4(),
                    reservation=call.held.id,
                    tokens=call.cost,
                    observation=self.stated(call.arrived_ms) if told else None,
                    after_sequence=call.read,
                )
            )

    def ask_token(self) -> None:
        read = self.book.state.sequence
        seen = self.stated(self.clock_ms)
        self.answers.append(Report(request_id=uuid4(), observation=seen, after_sequence=read))

    def deliver(self, pick: int) -> None:
        assert isinstance(self.book.do(self.answers[pick % len(self.answers)]), Decision)

    def release(self, pick: int) -> None:
        held = self.unsent.pop(pick % len(self.unsent))
        release = Release(request_id=uuid4(), reservation=held.id, reason=Reason.NOT_SENT)
        assert isinstance(self.book.do(release), Decision)

    def pass_time(self, seconds: float) -> None:
        for call in [each for each in self.running if self._late(each.held)]:
            self.running.remove(call)  # Its class deadline comes first; the answer is lost.
            self._charge(call)
        before = self.clock_ms // TICK_MS
        self.book.pass_time(seconds)
        for _ in range(self.clock_ms // TICK_MS - before):
            self.tokens = max(self.tokens, min(CAPACITY, self.tokens + RATE))
        self.book.sweep()
        self.book.admit()
        self._meet()

    def _late(self, held: Reservation) -> bool:
        return self.book.now > held.expires_at - SAFE

    def check(self) -> None:
        """INV-1 against the truth: tokens there, less what calls may still take."""
        exposed = sum(call.held.terms.tokens for call in self.running if not call.charged)
        exposed += sum(held.terms.tokens for held in self.unsent if not self._late(held))
        free = self.tokens - exposed
        assert self.tokens >= 0, "Keepa saw a debt"
        assert self.book.state.cash(self.book.now) <= free
        assert self.book.available <= free
        assert self.book.total("Foreign") == 0, "a stranger was invented"


def walk(seed: int, steps: int) -> World:
    """Take random steps that favour calls and their answers, checking after each."""
    chance = Random(seed)
    world = World(chance.choice([60, 300, 1195]))
    for _ in range(steps):
        step(world, chance)
        world.check()
    return world


def step(world: World, chance: Random) -> None:
    """Take one of the steps that are possible, the likely ones more often."""
    pick, coin = chance.randrange(1_000_000), chance.random() < 0.5
    lost, priority = chance.random() < 0.2, chance.choice(list(Priority))
    envelope = chance.choice(world.envelopes or [None])
    seconds = chance.choice([0.001, 0.5, 5, 20, 61])
    possible: list[tuple[int, object, Callable[[], None]]] = [
        (4, True, lambda: world.reserve(1 + pick % 60, coin, priority=priority)),
        (1, True, lambda: world.reserve(30 + pick % 90, coin, kind=Kind.ENVELOPE)),
        (3, envelope, lambda: world.reserve(1 + pick % 40, coin, parent=envelope.id)),
        (1, envelope, lambda: world.end_an_envelope(pick)),
        (5, world.unsent, lambda: world.send(pick, pick % 101, coin)),
        (1, world.unsent, lambda: world.release(pick)),
        (5, world.running, lambda: world.answer(pick, pick % 10 < 7, lost)),
        (2, True, world.ask_token),
        (6, world.answers, lambda: world.deliver(pick if coin else -1)),
        (4, True, lambda: world.pass_time(seconds)),
    ]
    likely = [(weight, act) for weight, ready, act in possible if ready]
    chance.choices([act for _, act in likely], [weight for weight, _ in likely])[0]()


def test_without_a_stranger_keepa_never_sees_a_debt() -> None:
    """The product's promise: nobody's click or crash ever drives the account below zero."""
    lived: Counter[str] = Counter()
    stages: set[Stage] = set()
    for seed in range(40):
        book = walk(seed, steps=250).book
        lived += Counter(book.kinds())
        stages |= {each.stage for each in book.state.past.values()}

    assert lived.total() > 4_000
    hard = {"Settled", "Unknown", "Overflow", "Waiting", "Released", "Committed", "BalanceLow"}
    assert hard <= set(lived), lived
    assert {Stage.SETTLED, Stage.COMMITTED, Stage.RELEASED} <= stages
