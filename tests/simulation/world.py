"""One seed's world: the clocks, Keepa, the database, the replicas, and the wire between them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from services.budget.domain import refusals
from services.budget.domain.commands import Sweep
from services.budget.domain.entries import Entry
from services.budget.domain.rules import Rules
from services.budget.domain.state import State
from services.budget.usecases.budget import Budget
from services.budget.usecases.desk import Desk
from services.budget.usecases.readings import Opening, Readings
from services.budget.usecases.writer import Change
from services.chassis.errors import Refusal
from tests.simulation.keepa import Keepa
from tests.simulation.loop import VirtualLoop
from tests.simulation.store import Connection, Database, Dead, Weather
from tests.simulation.swarm import Mix

T = TypeVar("T")
BEGIN = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEEPA_BEGIN_MS = 1_795_176_000_000  # The same instant, by a clock that agrees.
QUEUE_LIMIT = 6  # Small, so that it fills.
MISSED_LIMIT = 2  # Small, so that a reader misses more.
STRETCH = 25  # Small, so that a ledger has some checkpoints.


class Lost(Exception):  # noqa: N818 - an answer that never came
    """The caller does not know whether its request was carried out."""


class Storm(Weather):
    """Round trips that take time and fail, and processes that die at an append."""

    def __init__(self, world: "World", crash: Callable[[], None]) -> None:
        self._world = world
        self._crash = crash

    async def statement(self) -> None:
        """Take a part of a hop."""
        await asyncio.sleep(self._world.hop() / 4)

    def before(self) -> None:
        """Perhaps die, or lose the connection: nothing is stored."""
        self._strike("before")

    def after(self) -> None:
        """Perhaps die, or lose the connection: all is stored, and nobody knows."""
        self._strike("after")

    def _strike(self, moment: str) -> None:
        world = self._world
        if world.happens(world.mix.crash):
            world.seen[f"crash {moment} an append"] += 1
            self._crash()
        elif world.happens(world.mix.broken):
            world.seen[f"connection lost {moment} an append"] += 1
            raise refusals.storage_unavailable()


class Bell:
    """Implements ``ports.Bell`` for one process: a hint, which may be lost."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def wait(self, _: float) -> None:
        """Sleep until it rings; whoever depends on more than a hint has a timer, too."""
        world = self._world
        await world.database.rung()
        await asyncio.sleep(world.hop())
        if not world.mix.bell or world.happens(world.mix.lost_rpc):
            await asyncio.sleep(world.mix.sweep)


class Replica:
    """One process of the service: the real use cases, until it is killed."""

    def __init__(self, world: "World", number: int) -> None:
        self.number = number
        self.handlers: dict[asyncio.Task[Any], None] = {}  # In order: a set of tasks has none.
        self._world = world
        self._connection = Connection(world.database, Storm(world, self.kill))
        shortcut = self._connection if world.mix.shortcut else None
        self._pace = 1 + world.mix.skew * world.rng.uniform(-1, 1) if world.mix.skew else 1.0
        self.desk = Desk(self._connection, world.rules, shortcut, steady=self._steady)
        self.budget = Budget(self.desk, self._connection)
        self.readings = Readings(
            self.desk, self._connection, world.rules, steady=self._steady, stretch=STRETCH
        )
        self._sweeping = world.spawn(self._sweep())
        self._listening = world.spawn(self.desk.listen(Bell(world)))
        watched = world.keepas if world.mix.readers else ()
        self._watching = [world.spawn(self._watch(name)) for name in watched]

    @property
    def dead(self) -> bool:
        """Whether it was killed."""
        return self._connection.dead

    def _steady(self) -> float:
        """Tell the time by a clock of its own, which may run fast or slow."""
        return self._world.loop.time() * self._pace

    def kill(self) -> None:
        """End at once; another process takes the place some seconds later."""
        if self._connection.dead:
            return
        self._connection.dead = True
        for task in (self._sweeping, self._listening, *self._watching, *self.handlers):
            if task is not asyncio.current_task():
                task.cancel()
        self._world.down(self.number)

    async def _sweep(self) -> None:
        world = self._world
        await asyncio.sleep(world.rng.random() * world.mix.sweep)
        while True:
            try:
                for account in await self._connection.accounts():
                    await self.desk.at(account, Sweep())
            except Refusal as refusal:
                world.seen[f"sweep refused: {refusal.reason}"] += 1
            except Dead:
                return
            await asyncio.sleep(world.mix.sweep)

    async def _watch(self, account: str) -> None:
        """Follow the account like a user of WatchAccount, who resumes after a cut."""
        world = self._world
        while True:
            try:
                after = world.watched[self.number, account]
                async for seen in self.readings.watch(account, after):
                    if isinstance(seen, Opening):
                        world.on_opening(self.number, account, seen)
                    else:
                        entry = seen.entry if isinstance(seen, Change) else seen
                        world.on_entry(self.number, account, entry)
            except Dead:
                return
            except Refusal:
                await asyncio.sleep(1)


@dataclass
class World:
    """Everything of one run; all chance comes from one source, in the order of the loop.

    Attributes:
        answers: What each request id was answered, with the second; refusals included.
        seen: How often each condition came up.
        read: The newest sequence that each gateway has read of each account.
    """

    seed: int
    mix: Mix
    loop: VirtualLoop
    rules: Rules = field(default_factory=lambda: Rules(queue_limit=QUEUE_LIMIT))
    seen: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    answers: dict[UUID, list[tuple[float, object]]] = field(default_factory=dict)
    watched: Counter[tuple[int, str]] = field(default_factory=Counter)
    calm: bool = False
    steps: float = 0.0
    down_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.keepas = {name: self._keepa() for name in ("default", "second")[: self.mix.accounts]}
        self.database = Database(self.now)
        for name in self.keepas:
            self.database.ledgers[name] = []
        self.replicas: dict[int, Replica] = {}

    def _keepa(self) -> Keepa:
        mix, rng = self.mix, self.rng
        rate = mix.rate if not mix.plan else rng.choice((5, 20))
        return Keepa(
            rng=Random(rng.random()),
            rate=rate,
            tokens=round(60 * rate * mix.share),
            epoch_ms=KEEPA_BEGIN_MS + rng.randint(-4000, 4000),
            announced=rng.uniform(0.5, 60),
        )

    def start(self) -> None:
        """Start all replicas."""
        for number in range(self.mix.replicas):
            self.replicas[number] = Replica(self, number)

    def now(self) -> datetime:
        """By the database's clock."""
        return BEGIN + timedelta(microseconds=round((self.loop.time() + self.steps) * 1e6))

    def happens(self, chance: float) -> bool:
        """Toss a coin; nothing goes wrong once the world has calmed down."""
        return not self.calm and chance > 0 and self.rng.random() < chance

    def hop(self) -> float:
        """How long something takes from one process to another."""
        return self.rng.expovariate(1 / self.mix.latency) if self.mix.latency else 0.0

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start something that the world keeps hold of."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.blame("BUG", f"{task.exception()!r}")

    def blame(self, invariant: str, told: str) -> None:
        """Note a violation."""
        self.violations.append(f"{invariant}: {told}")

    def down(self, number: int) -> None:
        """Start a killed replica again after a while."""
        self.down_at.append(self.loop.time())
        self.loop.call_later(self.rng.uniform(0.5, 6), self._up, number)

    def _up(self, number: int) -> None:
        self.replicas[number] = Replica(self, number)

    def on_opening(self, number: int, account: str, opening: Opening) -> None:
        """A watch begins where it was asked to, or afresh for a reader that missed too much."""
        last, newest = self.watched[number, account], opening.told.state.sequence
        if opening.after != (newest if newest - last > MISSED_LIMIT else last):
            self.blame("INV-9", f"a watch after {last} begins after {opening.after} of {newest}")
        if opening.after != last:
            self.seen["watch begun afresh"] += 1
        self.watched[number, account] = opening.after

    def on_entry(self, number: int, account: str, entry: Entry) -> None:
        """INV-9 for readers: every change once, in order, whatever was killed in between."""
        last = self.watched[number, account]
        if entry.sequence != last + 1:
            self.blame("INV-9", f"a reader got {entry.sequence} after {last}")
        self.watched[number, account] = entry.sequence

    async def ask(self, work: Callable[[Replica], Awaitable[T]], *, to: int | None = None) -> T:
        """Call a replica as a client does.

        Raises:
            Refusal: The replica's answer.
            Lost: No answer; the request may have been carried out.
        """
        await asyncio.sleep(self.hop())
        replica = self.replicas[self.rng.randrange(self.mix.replicas) if to is None else to]
        if replica.dead:
            raise Lost
        handler = self.loop.create_task(_carry_out(work, replica))
        replica.handlers[handler] = None
        try:
            return await self._answer(handler)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise Lost from None
        finally:
            replica.handlers.pop(handler, None)

    async def _answer(self, handler: "asyncio.Task[T]") -> T:
        try:
            told = await handler
        except (Refusal, Dead):
            raise
        except Exception as error:
            self.blame("BUG", f"{error!r}")
            raise Lost from error
        if self.happens(self.mix.lost_rpc):
            raise Lost
        return told

    def peek(self, account: str) -> State:
        """What one replica knows of an account, perhaps not the newest; costs no time."""
        replica = self.replicas[self.rng.randrange(self.mix.replicas)]
        return replica.desk.writer(account).state


async def _carry_out(work: Callable[[Replica], Awaitable[T]], replica: Replica) -> T:
    return await work(replica)
