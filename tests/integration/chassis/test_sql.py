"""The database as a caller of it sees it when it is away, slow, or just restarted."""

import asyncio
import gc
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import AsyncAdaptedQueuePool, exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.local.postgres import Postgres
from services.chassis import sql

pytestmark = pytest.mark.anyio

AWAY = "postgresql://nobody:secret@127.0.0.1:1/none"


async def _failure(engine: sql.AsyncEngine, statement: str = "select 1") -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - what it is, is the question
        async with sql.transaction(engine) as connection:
            await connection.execute(text(statement))
    return caught.value


async def test_a_server_out_of_reach_is_an_unavailable_database() -> None:
    """The driver says ``ConnectionRefusedError``, which a caller would be told as a bug."""
    engine = sql.create_engine(AWAY, application="test")

    error = await _failure(engine)

    assert sql.unavailable(error)
    assert "secret" not in str(error)
    await engine.dispose()


async def test_a_server_that_falls_silent_is_an_unavailable_database(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a dead network no error ever comes; our own limit must end the wait (fault 30)."""
    monkeypatch.setattr(sql, "COMMAND_SECONDS", 0.2)
    engine = sql.create_engine(postgres, application="test")

    assert sql.unavailable(await _failure(engine, "select pg_sleep(3)"))
    await engine.dispose()


async def test_a_statement_without_end_is_ended_by_the_server(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One forgotten join must not hold a connection for ever."""
    monkeypatch.setattr(sql, "STATEMENT_TIMEOUT", "100ms")
    engine = sql.create_engine(postgres, application="test")

    assert sql.unavailable(await _failure(engine, "select pg_sleep(3)"))
    await engine.dispose()


async def test_a_full_pool_is_an_unavailable_database(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst is refused with a hint to repeat, and not as a bug."""
    engine = sql.create_engine(postgres, application="test", pool_size=1)
    monkeypatch.setattr(engine.pool, "_timeout", 0.1)

    async with engine.connect():
        error = await _failure(engine)

    assert isinstance(error, exc.TimeoutError)
    assert sql.unavailable(error)
    await engine.dispose()


async def test_a_wrong_statement_is_a_bug(postgres: str) -> None:
    """Repeating it would not help anybody."""
    engine = sql.create_engine(postgres, application="test")

    assert not sql.unavailable(await _failure(engine, "select * from nowhere.nothing"))
    await engine.dispose()


async def test_a_pool_is_whole_again_after_a_restart(tmp_path: Path) -> None:
    """At most the calls that run right then may notice (fault 23)."""
    with Postgres.start(tmp_path, durable=False) as server:
        engine = sql.create_engine(server.url, application="test", pool_size=4)
        await asyncio.gather(*(_ask(engine) for _ in range(4)))
    assert sql.unavailable(await _failure(engine))
    with Postgres.start(tmp_path, server.port, durable=False):
        await asyncio.gather(*(_ask(engine) for _ in range(12)), return_exceptions=True)

        assert await asyncio.gather(*(_ask(engine) for _ in range(12))) == [1] * 12
        await engine.dispose()


async def test_the_driver_itself_is_lent_from_the_pool_and_given_back(postgres: str) -> None:
    """Also by who fails or goes away: one connection serves all of them."""
    engine = sql.create_engine(postgres, application="test", pool_size=1)

    async def driven(statement: str) -> object:
        async with sql.driver(engine) as connection:
            return await connection.fetchval(statement)

    for statement in ("select 1 / 0", "select pg_terminate_backend(pg_backend_pid())"):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - what it is, is asked below
            await driven(statement)
        assert sql.unavailable(caught.value) == ("terminate" in statement)
        assert await driven("select 1") == 1
    leaving = asyncio.create_task(driven("select pg_sleep(30)"))
    while not engine.pool.checkedout():  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert await driven("select 1") == 1
    await engine.dispose()


async def test_what_stays_on_loan_is_lent_again_unless_it_failed_or_died(postgres: str) -> None:
    """So a pool of two never needs a third, and nobody gets a connection that is not sound."""
    engine = sql.create_engine(postgres, application="test", pool_size=2)
    driver = sql.Driver(engine, kept=1)

    async def driven(statement: str) -> object:
        async with driver.lend() as connection:
            return await connection.fetchval(statement)

    own = "select pg_backend_pid()"
    first = await driven(own)
    assert await driven(own) == first
    async with driver.lend(), driver.lend():
        pass  # The second is another one, and goes home to the pool.
    assert _on_loan(engine) == 1

    with pytest.raises(asyncpg.DivisionByZeroError):
        await driven("select 1 / 0")
    assert _on_loan(engine) == 0
    second = await driven(own)
    async with driver.lend() as connection:
        lent = connection
    await _end_backend(engine, second)
    while not lent.is_closed():  # noqa: ASYNC110 - its socket tells, a moment later
        await asyncio.sleep(0.01)
    assert await driven(own) not in (first, second)
    leaving = asyncio.create_task(driven("select pg_sleep(30)"))
    while not await _asleep(engine):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert _on_loan(engine) == 0

    assert await driven("select 1") == 1
    assert _on_loan(engine) == 1
    await driver.close()
    assert _on_loan(engine) == 0
    await engine.dispose()


async def test_a_connection_that_died_in_the_pool_is_not_lent(postgres: str) -> None:
    """A restart of the database must not fail one call for each connection that lay idle."""
    engine = sql.create_engine(postgres, application="test", pool_size=2)
    async with sql.driver(engine) as lent, sql.driver(engine) as other:
        dead = await lent.fetchval("select pg_backend_pid()")
        await other.execute("select 1")
    await _end_backend(engine, dead)
    while not lent.is_closed():  # noqa: ASYNC110 - its socket tells, a moment later
        await asyncio.sleep(0.01)

    async with sql.driver(engine) as one, sql.driver(engine) as two:
        assert [await each.fetchval("select 1") for each in (one, two)] == [1, 1]
    await engine.dispose()


async def test_nothing_stays_on_loan_that_somebody_waits_for(postgres: str) -> None:
    """Who waits in the pool would wait for ever while those who come later are lent it again."""
    engine = sql.create_engine(postgres, application="test", pool_size=2)
    driver = sql.Driver(engine, kept=1)
    go = asyncio.Event()

    async def lent() -> object:
        async with driver.lend() as connection:
            await go.wait()
            return await connection.fetchval("select 1")

    async with driver.lend():
        asking = [asyncio.create_task(lent()) for _ in range(2)]
        while _on_loan(engine) < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        go.set()
        assert await asyncio.gather(*asking) == [1, 1]
    await driver.close()
    await engine.dispose()


async def test_what_comes_back_after_the_end_does_not_stay_on_loan(postgres: str) -> None:
    """The pool that is disposed of next closes only what it has."""
    engine = sql.create_engine(postgres, application="test", pool_size=2)
    driver = sql.Driver(engine, kept=1)

    async with driver.lend():
        await driver.close()

    assert _on_loan(engine) == 0
    await engine.dispose()


def _on_loan(engine: AsyncEngine) -> int:
    pool = engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    return pool.checkedout()


async def _end_backend(engine: AsyncEngine, pid: object) -> None:
    """End a backend from another connection."""
    async with engine.connect() as connection:
        query = text("select pg_terminate_backend(:pid, 5000)")
        assert await connection.scalar(query, {"pid": pid})


async def _asleep(engine: AsyncEngine) -> bool:
    async with engine.connect() as connection:
        query = text("select count(*) from pg_stat_activity where wait_event = 'PgSleep'")
        return bool(await connection.scalar(query))


async def test_who_uses_the_driver_is_told_of_a_silent_server(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver says ``TimeoutError``, which could be anybody's."""
    monkeypatch.setattr(sql, "COMMAND_SECONDS", 0.2)
    engine = sql.create_engine(postgres, application="test")

    with pytest.raises(exc.OperationalError) as caught:
        async with sql.driver(engine) as connection:
            await connection.fetchval("select pg_sleep(3)")

    assert sql.unavailable(caught.value)
    await engine.dispose()


async def test_a_bell_rings_for_a_notification_and_survives_a_lost_connection(
    postgres: str,
) -> None:
    """Only a hint, but without it every event would wait for the next poll."""
    engine = sql.create_engine(postgres, application="test")
    async with sql.Bell(postgres, "test_bell") as bell:
        await bell.wait(5)  # A fresh connection rings for what may have been missed.
        await _notify(engine, bell)
        async with engine.connect() as connection:
            query = (
                "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'"
            )
            await connection.execute(text(query))
        await bell.wait(5)  # Connected again.
        await _notify(engine, bell)
    await engine.dispose()


class _Link:
    """A way to the database on which the connections there are can be made to fall silent."""

    def __init__(self, database_url: str) -> None:
        self._there = make_url(database_url)
        self._pumps: list[asyncio.Task[None]] = []
        self._ends: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        url = self._there.set(host="127.0.0.1", port=port)
        return url.render_as_string(hide_password=False)

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.fall_silent()
        for end in self._ends:
            end.close()
        await asyncio.gather(*(end.wait_closed() for end in self._ends), return_exceptions=True)

    async def fall_silent(self) -> None:
        """Carry nothing any more on what is connected, and close nothing."""
        pumps, self._pumps = self._pumps, []
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._there.host, self._there.port)
        self._ends += [writer, back]
        for source, sink in ((reader, back), (there, writer)):
            self._pumps.append(asyncio.create_task(_pump(source, sink)))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()


async def test_a_bell_notices_a_server_that_says_no_goodbye(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a network is cut, every event waited for the next poll from then on."""
    monkeypatch.setattr(sql, "PROBE_SECONDS", 0.1)
    monkeypatch.setattr(sql, "PROBE_ANSWER_SECONDS", 0.5)
    engine, link = sql.create_engine(postgres, application="test"), _Link(postgres)
    async with link as url, sql.Bell(url, "test_bell") as bell:
        await bell.wait(60)  # A fresh connection rings.
        await link.fall_silent()
        await bell.wait(60)
        await _notify(engine, bell)
    await engine.dispose()


async def _notify(engine: sql.AsyncEngine, bell: sql.Bell) -> None:
    began = asyncio.get_running_loop().time()
    async with sql.transaction(engine) as connection:
        await connection.execute(text("notify test_bell"))
    await bell.wait(60)
    assert asyncio.get_running_loop().time() - began < 55


async def _ask(engine: sql.AsyncEngine) -> int:
    async with sql.transaction(engine) as connection:
        return int(await connection.scalar(text("select 1")) or 0)


async def test_an_opening_that_is_cancelled_anywhere_leaves_no_error_behind(postgres: str) -> None:
    """A caller's deadline may strike in the middle of it; nobody is left to read an error then."""
    unread: list[object] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: unread.append(context))

    for turns in range(40):
        engine = sql.create_engine(postgres, application="test")
        opening = asyncio.create_task(_failure(engine))
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        await engine.dispose()
    gc.collect()
    await asyncio.sleep(0.05)
    loop.set_exception_handler(before)

    assert unread == []


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("postgresql+asyncpg://a:b@127.0.0.1/x", "postgresql://a:b@127.0.0.1/x?sslmode=disable"),
        (
            "postgresql://a:b@localhost/x?sslmode=require",
            "postgresql://a:b@localhost/x?sslmode=require",
        ),
        ("postgresql://a:b@db.example/x", "postgresql://a:b@db.example/x"),
    ],
)
def test_only_the_loopback_address_goes_without_tls(url: str, plain: str) -> None:
    """Over a network, what the operator's URL says about TLS is never weakened."""
    assert sql.plain_url(url) == plain
