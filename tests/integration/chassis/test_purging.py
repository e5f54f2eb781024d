"""Old rows go a chunk at a time, and nobody waits for it."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from sqlalchemy import Column, DateTime, Integer, MetaData, Select, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import purging, sql
from services.chassis.events import inbox, outbox

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
metadata = MetaData(schema="purging")
papers = Table(
    "papers",
    metadata,
    Column("drawer", Integer, primary_key=True),
    Column("id", Integer, primary_key=True),
    Column("put_at", DateTime(timezone=True), nullable=False, index=True),
)
letters, mail = inbox.inbox_table(metadata), outbox.outbox_table(metadata)
dead = inbox.dead_letters_table(metadata)


def old() -> Select[tuple[int, int]]:
    return purging.older(papers, papers.c.put_at, DAY)


@pytest.fixture
async def engine(postgres: str) -> AsyncIterator[AsyncEngine]:
    """Nine papers: seven of them are 2 to 8 days old, the oldest last, and two are new."""
    engine = sql.create_engine(postgres, application="test")
    async with sql.transaction(engine) as connection:
        await connection.execute(text("drop schema if exists purging cascade"))
        await connection.execute(text("create schema purging"))
        await connection.run_sync(metadata.create_all)
        ages = [0, 0, *range(2, 9)]
        rows = [
            {"drawer": at % 2, "id": at, "put_at": func.now() - age * DAY}
            for at, age in enumerate(ages)
        ]
        for row in rows:
            await connection.execute(papers.insert().values(row))
    yield engine
    await engine.dispose()


async def left(connection: AsyncConnection, table: Table = papers) -> list[int]:
    found = await connection.scalars(select(table.c.id).order_by(table.c.id))
    return list(found)


async def test_a_chunk_takes_the_oldest_and_no_more_than_it_is_told(engine: AsyncEngine) -> None:
    """A statement over everything ends at the limit of statements, and then nothing ever goes."""
    async with sql.transaction(engine) as connection:
        gone = await purging.forget_chunk(connection, papers, old(), chunk=3)

        assert gone == 3
        assert await left(connection) == [0, 1, 2, 3, 4, 5]


async def test_what_somebody_is_at_stays_and_is_not_waited_for(engine: AsyncEngine) -> None:
    """A writer that hangs with one row must not keep the rest, nor the one who forgets."""
    async with engine.connect() as writer:
        await writer.execute(select(papers).where(papers.c.id == 5).with_for_update())
        gone = await purging.forget(engine, papers, old(), chunk=2)

        assert gone == 6
        assert await left(writer) == [0, 1, 5]
    assert await purging.forget(engine, papers, old(), chunk=2) == 1


async def test_chunks_that_divide_evenly_end_too(engine: AsyncEngine) -> None:
    assert await purging.forget(engine, papers, old(), chunk=7) == 7


async def test_mail_is_kept_as_long_as_it_may_be_asked_for(engine: AsyncEngine) -> None:
    """An event whose inbox row went too early would have its effect twice."""
    broker_keeps = timedelta(days=30)
    source = outbox.OutboxSource(mail)
    async with sql.transaction(engine) as connection:
        for age in (broker_keeps, inbox.KEPT_FOR + DAY):
            put_at, event_id = func.now() - age, func.gen_random_uuid()
            letter = {"reader": "one", "event_id": event_id, "received_at": put_at}
            await connection.execute(letters.insert().values(letter))
        for sent_at in (None, func.now(), func.now() - outbox.KEPT_FOR - DAY):
            event = {
                "event_id": func.gen_random_uuid(),
                "message_name": "any",
                "payload": b"",
                "sent_at": sent_at,
            }
            await connection.execute(mail.insert().values(event))

        assert await inbox.purge(connection, letters) == 1
        assert await inbox.purge(connection, letters) == 0
        assert await source.purge(connection) == 1
        assert await left(connection, mail) == [1, 2]


async def bury(
    connection: AsyncConnection, sequence: int, age: timedelta, table: Table = dead
) -> None:
    letter = {
        "reader": "one",
        "stream": "any",
        "stream_sequence": sequence,
        "subject": "any",
        "headers": {},
        "payload": b"",
        "attempts": 1,
        "error": "Poison",
    }
    await connection.execute(table.insert().values(**letter, died_at=func.now() - age))


async def test_dead_letters_are_kept_for_an_operator_and_not_for_ever(engine: AsyncEngine) -> None:
    """A publisher gone wrong would fill the disk, and every service with it."""
    async with sql.transaction(engine) as connection:
        for sequence in range(1, 4):
            await bury(connection, sequence, inbox.LETTERS_KEPT_FOR - DAY)
        await bury(connection, 4, inbox.LETTERS_KEPT_FOR + DAY)

        assert await inbox.purge_letters(connection, dead) == 1
        assert await left(connection, dead) == [1, 2, 3]
        assert await inbox.purge_letters(connection, dead, most=3) == 0
        assert await inbox.purge_letters(connection, dead, most=2) == 1
        assert await left(connection, dead) == [2, 3]


async def test_a_flood_of_dead_letters_goes_in_small_chunks(engine: AsyncEngine) -> None:
    """Each may have a megabyte."""
    async with sql.transaction(engine) as connection:
        for sequence in range(purging.SMALL_CHUNK + 5):
            await bury(connection, sequence, timedelta(0))

        gone = [await inbox.purge_letters(connection, dead, most=1) for _ in range(3)]

    assert gone == [purging.SMALL_CHUNK, 4, 0]


@pytest.mark.parametrize("service", ["autosourcing", "discovery"])
async def test_each_reader_may_forget_its_dead_letters(
    service: str, database: str, service_database: Callable[[str], str]
) -> None:
    """The service's own role needs the right to, and has it from a migration."""
    table = inbox.dead_letters_table(MetaData(schema=service))
    mine = sql.create_engine(service_database(service), application="test")
    async with sql.transaction(mine) as connection:
        await bury(connection, 1, timedelta(0), table)
        await bury(connection, 2, timedelta(0), table)

        assert await inbox.purge_letters(connection, table, most=1) == 1
        assert await inbox.purge_letters(connection, table, most=1) == 0
    await mine.dispose()
