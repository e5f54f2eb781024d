"""The simulation's database beside PostgreSQL: the same commands leave the same ledger."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from services.budget.domain.balance import EPOCH, MILLISECOND, Observation
from services.budget.domain.commands import Commit, Extend, Release, Report, Sweep
from services.budget.domain.entries import Entry
from services.budget.domain.evolve import forget
from services.budget.domain.reservation import Reservation, Terms
from services.budget.domain.rules import STANDARD, Kind, Priority, Reason
from services.budget.usecases.budget import Budget
from services.budget.usecases.desk import Desk
from services.budget.usecases.readings import Readings
from services.budget.usecases.writer import Told
from services.chassis.errors import Refusal
from tests.integration.budget.support import Replica, replica
from tests.simulation.store import Connection, Database, Weather

pytestmark = pytest.mark.anyio

Url = Callable[[str], str]
Asked = Callable[[Budget, Desk], Awaitable[object]]
STEPS = 140
SHORT = timedelta(milliseconds=2)
LONG = timedelta(seconds=180)


@dataclass
class Script:
    """Draws commands, the likely ones and the wrong ones, over what it has seen granted."""

    rng: Random
    held: list[Reservation] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    now_ms: int = (datetime.now(UTC) - EPOCH) // MILLISECOND - 60_000

    def draw(self, sequence: int) -> Asked:
        """Return the next command; some are asked twice, perhaps of the other replica."""
        if self.asked and self.rng.random() < 0.15:
            return self.rng.choice(self.asked)
        kinds = [self._reserve, self._reserve, self._batch, self._end, self._end, self._report]
        if self.rng.random() < 0.1:
            kinds = [self._sweep]
        chosen = self.rng.choice(kinds)(sequence)
        self.asked.append(chosen)
        return chosen

    def _key(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128) | 1)

    def _terms(self) -> Terms:
        parents = [each.id for each in self.held if each.terms.kind is Kind.ENVELOPE]
        draws = bool(parents) and self.rng.random() < 0.4
        envelope = not draws and self.rng.random() < 0.3
        return Terms(
            id=self._key(),
            tokens=self.rng.choice((1, 7, 40, 2000)) if not envelope else 60,
            kind=Kind.ENVELOPE if envelope else Kind.CALL,
            parent=self.rng.choice(parents) if draws else None,
            priority=self.rng.choice(list(Priority)),
            hold=LONG if envelope else self.rng.choice((SHORT, LONG, LONG)),
        )

    def _reserve(self, _: int) -> Asked:
        terms, wait = self._terms(), SHORT * self.rng.choice((0, 0, 0, 1))
        return lambda budget, _: budget.reserve(terms, wait)

    def _batch(self, _: int) -> Asked:
        many = [self._terms() for _ in range(3)]
        return lambda budget, _: budget.reserve_all(many)

    def _end(self, sequence: int) -> Asked:
        if not self.held:
            return self._report(sequence)
        held = self.rng.choice(self.held)
        key, how = self._key(), self.rng.random()
        reason = Reason.FINISHED if held.terms.kind is Kind.ENVELOPE else Reason.NOT_SENT
        if how < 0.3:
            release = Release(request_id=key, reservation=held.id, reason=reason)
            return lambda budget, _: budget.release(release)
        if how < 0.4 and held.terms.hold == LONG:
            extend = Extend(request_id=key, reservation=held.id, hold=LONG * 2)
            return lambda budget, _: budget.extend(extend)
        commit = Commit(
            request_id=key,
            reservation=held.id,
            tokens=self.rng.choice((0, 1, held.terms.tokens, held.terms.tokens + 3)),
            observation=self._stated() if self.rng.random() < 0.6 else None,
            after_sequence=self.rng.randint(0, sequence),
        )
        return lambda budget, _: budget.commit(commit)

    def _report(self, sequence: int) -> Asked:
        report = Report(request_id=self._key(), observation=self._stated(), after_sequence=sequence)
        return lambda budget, _: budget.report("default", report)

    def _sweep(self, _: int) -> Asked:
        async def later(_: Budget, desk: Desk) -> Told:
            await asyncio.sleep(2 * SHORT.total_seconds())
            return await desk.at("default", Sweep())

        return later

    def _stated(self) -> Observation:
        self.now_ms += self.rng.choice((-5, 1, 3))
        return Observation(
            arrived_ms=self.now_ms,
            tokens=self.rng.choice((15, 300, 600, 900)),
            refill_in_ms=60_000,
            refill_rate=self.rng.choice((0, 20, 20, 20)),
        )


def in_memory(database: Database) -> Replica:
    connection = Connection(database, Weather())
    desk = Desk(connection, STANDARD, shortcut=connection)
    readings = Readings(desk, connection, STANDARD)
    return Replica(Budget(desk, connection), readings, desk, connection)  # type: ignore[arg-type]


async def outcome(asked: Asked, of: Replica) -> object:
    """What a command came to, without instants: the two databases have clocks of their own."""
    try:
        told = await asked(of.budget, of.desk)
    except Refusal as refusal:
        return refusal.reason, refusal.facts
    if isinstance(told, list):
        return [each.reason if isinstance(each, Refusal) else plain(each) for each in told]
    assert isinstance(told, Told)
    return plain(told)


def plain(told: Told) -> object:
    answer = told.answer
    if not isinstance(answer, Reservation):
        return answer
    return answer.id, answer.stage, answer.sequence, answer.committed, answer.rest


def line(entry: Entry) -> object:
    fact = type(entry.fact).__name__
    return entry.sequence, fact, entry.fact.tokens, entry.available, entry.about, entry.request_id


@pytest.mark.parametrize("seed", [1, 2])
async def test_postgresql_and_the_simulated_database_leave_the_same_ledger(
    seed: int, fresh_service_database: Url
) -> None:
    """What the simulation proves holds for the product as far as its database is like ours."""
    url = fresh_service_database("budget")
    script, database = Script(Random(seed)), Database(lambda: datetime.now(UTC))
    database.ledgers["default"] = []

    async with replica(url) as one, replica(url) as two:
        pairs = [(each, in_memory(database)) for each in (one, two)]
        for _ in range(STEPS):
            real, simulated = script.rng.choice(pairs)
            asked = script.draw(len(database.ledgers["default"]))
            assert await outcome(asked, real) == await outcome(asked, simulated)
            told = await real.look()
            script.held = [each for each in told.state.live.values() if each.expires_at]

        real_lines = [line(each) for each in await one.ledger.page("default", 0, 10_000)]
        assert real_lines == [line(stored.entry) for stored in database.ledgers["default"]]
        assert len(real_lines) > STEPS // 2
        assert forget((await one.look()).state).live == (await two.look()).state.live
        for _, simulated in pairs:
            await simulated.desk.close()
