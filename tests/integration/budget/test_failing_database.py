"""Two replicas, many callers, and a database that keeps cutting connections."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.budget.domain.commands import Sweep
from services.budget.domain.evolve import forget
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import Kind, Reason
from services.chassis import sql
from services.chassis.errors import Refusal
from tests.integration.budget.support import Replica, replica, stated

pytestmark = pytest.mark.anyio

STEPS_BETWEEN_CUTS = 15
CUT = """
select pg_terminate_backend(pid) from pg_stat_activity
where application_name = 'test' and random() < 0.5
"""


class Crowd:
    """Callers that reserve, draw, commit and release at random, repeating what got no answer."""

    def __init__(self, replicas: list[Replica], seed: int) -> None:
        self.replicas = replicas
        self.chance = Random(seed)
        self.told: dict[UUID, Reservation] = {}
        self.envelopes: list[Reservation] = []
        self.reasons: set[str] = set()
        self.steps = 0
        self.cut_due = asyncio.Event()

    async def call(self, steps: int) -> None:
        """Live as one caller."""
        held: list[Reservation] = []
        for _ in range(steps):
            self.steps += 1
            if self.steps % STEPS_BETWEEN_CUTS == 0:
                self.cut_due.set()
            luck = self.chance.random()
            try:
                if luck < 0.5 or not held:
                    held += await self._reserve()
                elif luck < 0.55:
                    envelope = await self._any().reserve(40, kind=Kind.ENVELOPE)
                    self.envelopes.append(envelope)
                elif luck < 0.6 and self.envelopes:
                    await self._any().release(self.chance.choice(self.envelopes), Reason.FINISHED)
                else:
                    await self._end(held.pop())
            except Refusal as refusal:
                self.reasons.add(refusal.reason)

    def _any(self) -> Replica:
        return self.chance.choice(self.replicas)

    async def _reserve(self) -> list[Reservation]:
        """Ask until there is an answer, of whichever replica; every answer must be the same."""
        key, hold = uuid4(), timedelta(seconds=self.chance.choice([1, 60]))
        parent = self.chance.choice([None, *self.envelopes])
        for _ in range(8):
            terms = {"id": key, "hold": hold, "parent": parent.id if parent else None}
            outcome = await self._any().tries(3, **terms)
            if isinstance(outcome, Reservation):
                assert self.told.setdefault(key, outcome) == outcome
                return [outcome]
            if outcome.reason != "STORAGE_UNAVAILABLE":
                break
        return []

    async def _end(self, held: Reservation) -> None:
        if self.chance.random() < 0.5:
            await self._any().release(held)
            return
        seen = stated(1000 - self.chance.randrange(50)) if self.chance.random() < 0.5 else None
        await self._any().commit(held, self.chance.randrange(5), seen)


async def _cut(admin: asyncpg.Connection, due: asyncio.Event) -> None:
    """Cut connections by steps, not by time: a slow machine must get on between two cuts."""
    while True:
        await due.wait()
        due.clear()
        await admin.execute(CUT)


@pytest.mark.parametrize("seed", [1, 2])
async def test_replicas_over_a_failing_database_keep_every_promise(
    fresh_service_database: Callable[[str], str], fresh_database: str, seed: int
) -> None:
    """S16, INV-2, INV-6: what was told is stored, once; both replicas and a replay agree."""
    url = fresh_service_database("budget")
    admin = await asyncpg.connect(sql.plain_url(fresh_database))
    async with replica(url) as one, replica(url) as two:
        await one.report(1000)
        crowd = Crowd([one, two], seed)
        cutting = asyncio.create_task(_cut(admin, crowd.cut_due))
        await asyncio.gather(*(crowd.call(30) for _ in range(10)))
        cutting.cancel()
        await asyncio.wait([cutting])

        await one.desk.at("default", Sweep())
        findings = await one.readings.verify("default")
        states = [forget((await each.look()).state) for each in (one, two, one)]

    stored = "select count(*) from budget.ledger where kind = 'HELD' and reservation = any($1)"
    assert await admin.fetchval(stored, list(crowd.told)) == len(crowd.told) > 50
    assert crowd.reasons <= {"STORAGE_UNAVAILABLE", "INSUFFICIENT_TOKENS"}
    assert findings.violations == ()
    assert states[1] == states[2]
    await admin.close()
