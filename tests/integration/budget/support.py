"""Budget's use cases over a real PostgreSQL, as a replica has them."""
# ruff: noqa: D102 - the names say it

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from services.budget.domain.balance import EPOCH, MILLISECOND, Observation
from services.budget.domain.commands import Commit, Extend, Release, Report
from services.budget.domain.reservation import Reservation, Terms
from services.budget.domain.rules import STANDARD, Reason, Rules
from services.budget.storage.readings import PostgresReadings
from services.budget.usecases.budget import Budget
from services.budget.usecases.desk import Desk
from services.budget.usecases.readings import Readings
from services.budget.usecases.writer import Told
from services.chassis import sql
from services.chassis.errors import Refusal

NO_WAIT = timedelta(0)
SOON = 20.0


@dataclass(frozen=True)
class Replica:
    """One process's worth of budget, without its port."""

    budget: Budget
    readings: Readings
    desk: Desk
    ledger: PostgresReadings

    async def reserve(
        self, tokens: int, max_wait: timedelta = NO_WAIT, **terms: object
    ) -> Reservation:
        told = await self.budget.reserve(asked(tokens, **terms), max_wait)
        assert isinstance(told.answer, Reservation)
        return told.answer

    async def tries(self, tokens: int, **terms: object) -> Reservation | Refusal:
        try:
            return await self.reserve(tokens, **terms)
        except Refusal as refusal:
            return refusal

    async def commit(
        self, held: Reservation, tokens: int, seen: Observation | None = None, after: int = 0
    ) -> Told:
        return await self.budget.commit(
            Commit(
                request_id=uuid4(),
                reservation=held.id,
                tokens=tokens,
                observation=seen,
                after_sequence=after,
            )
        )

    async def release(self, held: Reservation, reason: Reason = Reason.NOT_SENT) -> Told:
        return await self.budget.release(
            Release(request_id=uuid4(), reservation=held.id, reason=reason)
        )

    async def extend(self, held: Reservation, seconds: float) -> Told:
        return await self.budget.extend(
            Extend(request_id=uuid4(), reservation=held.id, hold=timedelta(seconds=seconds))
        )

    async def report(self, tokens: int, account: str = "default", **fields: int) -> Told:
        after = fields.pop("after", 0)
        command = Report(
            request_id=uuid4(), observation=stated(tokens, **fields), after_sequence=after
        )
        return await self.budget.report(account, command)

    async def look(self, account: str = "default") -> Told:
        return await self.readings.account(account)

    async def available(self) -> int:
        told = await self.look()
        return told.state.available(told.now)


async def queued(one: Replica, number: int) -> None:
    """Wait until so many wait in the queue, as far as a replica knows."""
    async with asyncio.timeout(SOON):
        while len(one.desk.writer("default").state.waiting) != number:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def replica(database_url: str, rules: Rules = STANDARD) -> AsyncIterator[Replica]:
    engine = sql.create_engine(database_url, application="test", pool_size=4)
    driver = sql.Driver(engine, kept=1)
    ledger = PostgresReadings(driver)
    desk = Desk(ledger, rules, shortcut=ledger)
    try:
        yield Replica(Budget(desk, ledger), Readings(desk, ledger, rules), desk, ledger)
    finally:
        await desk.close()
        await driver.close()
        await engine.dispose()


def asked(tokens: int, **terms: object) -> Terms:
    identity = terms.pop("id", None)
    assert identity is None or isinstance(identity, UUID)
    return Terms(id=identity or uuid4(), tokens=tokens, **terms)


def stated(tokens: int, **fields: int) -> Observation:
    arrived = (datetime.now(UTC) - EPOCH) // MILLISECOND
    usual = {"arrived_ms": arrived, "refill_in_ms": 60_000, "refill_rate": 20}
    return Observation(tokens=tokens, **(usual | fields))
