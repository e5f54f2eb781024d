"""A wait in the queue, in virtual time: who may end it, and who may not."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.budget.domain.balance import EPOCH, MILLISECOND, Observation
from services.budget.domain.commands import Report
from services.budget.domain.reservation import Reservation, Terms
from services.budget.domain.rules import STANDARD, Stage
from services.budget.usecases.budget import Budget
from services.budget.usecases.desk import Desk
from tests.simulation.loop import VirtualLoop
from tests.simulation.store import Connection, Database, Weather

BEGIN = datetime(2026, 11, 20, 12, tzinfo=UTC)
PATIENT = timedelta(seconds=100)
TERMS = Terms(id=UUID(int=1), tokens=20)


def tell(story: Callable[[Budget], Coroutine[Any, Any, None]]) -> None:
    """Run a story on one replica, over an account of 15 tokens that grows in ten seconds."""
    loop = VirtualLoop()
    database = Database(lambda: BEGIN + timedelta(seconds=loop.time()))
    database.ledgers["default"] = []
    connection = Connection(database, Weather())
    budget = Budget(Desk(connection, STANDARD, steady=loop.time), connection)

    async def begin() -> None:
        seen = Observation(
            arrived_ms=(BEGIN - EPOCH) // MILLISECOND,
            tokens=15,
            refill_in_ms=10_000,
            refill_rate=20,
        )
        await budget.report("default", Report(request_id=UUID(int=9), observation=seen))
        await story(budget)

    loop.run_until_complete(begin())
    loop.close()
    assert loop.faults == []


def test_a_caller_that_goes_away_does_not_take_its_own_repeated_request_with_it() -> None:
    """A broken connection is noticed after the retry has arrived: the place in the queue stays."""

    async def story(budget: Budget) -> None:
        first = asyncio.create_task(budget.reserve(TERMS, PATIENT))
        await asyncio.sleep(1)
        again = asyncio.create_task(budget.reserve(TERMS, PATIENT))
        await asyncio.sleep(1)

        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        told = await again

        assert isinstance(told.answer, Reservation)
        assert told.answer.stage is Stage.HELD
        assert told.now == BEGIN + timedelta(seconds=10.303)

    tell(story)


def test_all_who_wait_for_one_request_hear_of_its_grant() -> None:
    """Two identical requests on one replica are answered alike, and neither waits for nothing."""

    async def story(budget: Budget) -> None:
        asked = [budget.reserve(TERMS, PATIENT) for _ in range(2)]
        one, two = await asyncio.gather(*asked)

        assert one.answer == two.answer
        assert one.now - BEGIN < timedelta(seconds=11)

    tell(story)
