"""Those who wait for tokens hear of the end of their wait, whatever has happened meanwhile."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from services.budget.domain.rules import Stage
from tests.integration.budget.support import SOON, queued, replica

pytestmark = pytest.mark.anyio

Url = Callable[[str], str]

PATIENCE = timedelta(seconds=60)


@pytest.fixture
def url(fresh_service_database: Url) -> str:
    return fresh_service_database("budget")


async def test_a_grant_read_with_the_whole_state_wakes_its_waiter(url: str) -> None:
    """T2: a lost connection makes a replica read anew; a grant among that was heard by nobody."""
    async with replica(url) as one, replica(url) as two:
        await one.report(30)
        held = await one.reserve(20)
        waiting = asyncio.create_task(one.reserve(20, PATIENCE))
        await queued(one, 1)

        writer = one.desk.writer("default")
        await two.release(held)
        writer._warm = False

        async with asyncio.timeout(SOON):
            assert (await waiting).stage is Stage.HELD


async def test_a_caller_that_goes_away_leaves_the_writer_to_the_others(url: str) -> None:
    """INV-4: a writer in the middle of a batch is forgotten by nobody, so a stop waits for it."""
    async with replica(url) as one:
        await one.report(1000)
        writer = one.desk.writer("default")
        first, second = (asyncio.create_task(one.reserve(1)) for _ in range(2))
        async with asyncio.timeout(SOON):
            while writer._warm:  # noqa: ASYNC110 - until the batch is under way
                await asyncio.sleep(0)

        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

        assert one.desk.writer("default") is writer
        assert (await second).stage is Stage.HELD
