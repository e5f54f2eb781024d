"""Those who wait for tokens hear of the end of their wait, whatever has happened meanwhile."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import Stage
from services.chassis import sql
from services.chassis.errors import Refusal
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


@pytest.mark.parametrize("waits_at", ["default", "second"])
async def test_an_id_that_waited_in_one_account_names_nothing_in_another(
    url: str, waits_at: str
) -> None:
    """INV-2: else its commit is booked where it only waited, and that ledger cannot be replayed."""
    granted_at = {"default": "second", "second": "default"}[waits_at]
    key = uuid4()
    async with replica(url) as one:
        await one.report(20, account=waits_at)
        await one.report(100, account=granted_at)
        with pytest.raises(Refusal) as ended:
            await one.reserve(30, timedelta(milliseconds=1), id=key, account=waits_at)

        again = await one.tries(30, id=key, account=granted_at)  # By the way of one statement.
        one.desk.writer(granted_at)._alone = False
        turned = await one.tries(30, id=key, account=granted_at)

        assert ended.value.reason == "WAIT_TIMEOUT"
        for refused in (again, turned):
            assert isinstance(refused, Refusal)
            assert refused.reason == "REQUEST_ID_REUSED"
        assert isinstance(await one.tries(5, id=key, account=waits_at), Reservation)


async def test_who_waits_under_an_id_that_another_account_has_bound_stops_nobody(
    url: str, fresh_database: str
) -> None:
    """INV-4: each batch that could let it in was refused, the commits that made room as well."""
    async with replica(url) as one:
        await one.report(40)
        await one.report(100, account="second")
        other = await one.reserve(1, account="second")
        held = await one.reserve(20)
        waiting = asyncio.create_task(one.tries(20, max_wait=PATIENCE))
        await queued(one, 1)
        (key,) = one.desk.writer("default").state.waiting
        await rebind(fresh_database, other.id, key)  # As if both had come at the same moment.

        async with asyncio.timeout(SOON):
            await one.commit(held, 1)
            refused = await waiting

        assert isinstance(refused, Refusal)
        assert refused.reason == "REQUEST_ID_REUSED"
        assert (await one.readings.verify("default")).consistent


async def rebind(database_url: str, bound: UUID, to: UUID) -> None:
    """Give a grant another id."""
    connection = await asyncpg.connect(sql.plain_url(database_url))
    await connection.execute(
        "update budget.ledger set request_id = $2, reservation = $2 where request_id = $1",
        bound,
        to,
    )
    await connection.close()
