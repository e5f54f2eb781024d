"""Whoever locks scores locks them as writers do, in the order of the keys: readers count, too."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.chassis import sql
from services.discovery.domain.answers import Appraisal
from services.discovery.domain.criteria import Options
from services.discovery.storage.caches import PostgresCaches
from services.discovery.storage.kept import PostgresKept
from services.discovery.storage.scores import PostgresScores
from services.discovery.usecases.keeping import Ask
from services.discovery.usecases.purging import Purger
from services.discovery.usecases.searching import Ended
from tests.integration.discovery.stage import Replica, asin, request
from tests.support import until

pytestmark = pytest.mark.anyio

T = TypeVar("T")
Reading = Callable[[PostgresScores, Mapping[str, str]], Coroutine[Any, Any, dict[str, Appraisal]]]

LIMITS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
PATIENT = dict.fromkeys(LIMITS, "60s")
"""On a busy machine somebody may have to wait for longer than production allows."""

_SOMEBODY_WAITS_FOR_ME = """select exists(
    select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid)))"""


@pytest.fixture
async def crossed(one: Replica, database: str) -> dict[str, str]:
    """Two fresh scores by their keys, a before b, that lie in the tables the other way round.

    Whoever takes the rows as they come takes b first: two rows of one page are read as they
    lie, the scores that are joined with them lie alike and have ids alike, and the planner knows.
    """
    parts = one.desk.score(request(), 1, [asin(0), asin(1)], Options())
    found = [each async for part in parts if not isinstance(part, Ended) for each in part]
    first, second = sorted(found, key=lambda each: str(each.id))
    keys = {second.asin: "a", first.asin: "b"}
    owner = await asyncpg.connect(sql.plain_url(database))
    await owner.execute("truncate discovery.score_cache, discovery.scores")
    for each in (first, second):
        await PostgresScores(one.engine).write(1, keys, [each])
    await owner.execute("analyze discovery.score_cache, discovery.scores")
    await owner.close()
    return keys


@pytest.fixture
async def engine(discovery_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(
        sql.async_url(discovery_url), connect_args={"server_settings": PATIENT}
    )
    yield engine
    await engine.dispose()


@pytest.fixture
async def writer(discovery_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(sql.plain_url(discovery_url), server_settings=PATIENT)
    yield connection
    await connection.close()


async def meets_half_way(writer: asyncpg.Connection, other: Coroutine[Any, Any, T]) -> T:
    """Write both rows in their order, and begin the other between the first and the second."""
    write = "update discovery.score_cache set hits = hits where key = $1"

    async def other_waits() -> bool:
        return bool(await writer.fetchval(_SOMEBODY_WAITS_FOR_ME))

    async with writer.transaction():
        await writer.execute(write, "a")
        begun = asyncio.create_task(other)
        await until(other_waits)
        await writer.execute(write, "b")
    return await begun


@pytest.mark.parametrize("read", [PostgresScores.fresh, PostgresScores.last])
async def test_a_reader_that_counts_never_deadlocks_with_a_writer(
    crossed: dict[str, str], engine: AsyncEngine, writer: asyncpg.Connection, read: Reading
) -> None:
    """One of the two would be killed, and with it a search that may have been paid for."""
    found = await meets_half_way(writer, read(PostgresScores(engine), crossed))

    assert set(found) == set(crossed)


@pytest.mark.usefixtures("crossed")
async def test_a_purge_never_deadlocks_with_a_writer(
    engine: AsyncEngine, writer: asyncpg.Connection
) -> None:
    """Somebody who clears the caches must not end the searches that are running."""
    purger = Purger(PostgresCaches(engine), PostgresKept(engine))
    ask = Ask(id=uuid4(), caller="test")

    purged = await meets_half_way(writer, purger.purge(ask, "scoring", include_fresh=True))

    assert purged.entries == 2


@pytest.mark.usefixtures("crossed")
async def test_a_purge_goes_over_every_key_in_chunks(engine: AsyncEngine) -> None:
    """A cache of a million entries cannot be emptied within the limit of one statement."""
    chunks = [
        one async for one in PostgresKept(engine).purge("scoring", include_fresh=True, chunk=1)
    ]

    assert [one.entries for one in chunks] == [1, 1, 0]


async def test_forgetting_takes_a_backlog_of_any_length_and_waits_for_nobody(
    one: Replica, writer: asyncpg.Connection
) -> None:
    """A purge that did not end within the limit of a statement would never end at all."""
    parts = one.desk.score(request(), 1, [asin(at) for at in range(6)], Options())
    async for _ in parts:
        pass
    for table in ("scores", "score_cache"):
        past = "created_at = created_at - interval '91 days'"
        await one.execute(f"update discovery.{table} set {past}")

    async with writer.transaction():
        held = "(select key from discovery.score_cache order by key limit 1)"
        lock = f"select score_id from discovery.score_cache where key = {held} for update"
        score_id = await writer.fetchval(lock)
        await writer.execute("select from discovery.scores where id = $1 for update", score_id)
        async with asyncio.timeout(20):
            gone = await one.caches.purge(chunk=2)
    left = await writer.fetch("select id from discovery.scores")

    assert gone == 10
    assert [row["id"] for row in left] == [score_id]
