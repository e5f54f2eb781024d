"""What every call asks of the ledger, on one that is long."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from services.budget.ports import UsageQuery
from services.budget.storage import readings
from services.budget.storage.readings import PostgresReadings
from services.chassis import sql
from services.chassis.errors import Refusal
from tests.bench.restart import fill

pytestmark = pytest.mark.anyio

ENTRIES = 5_001
LONG = 50_001  # From here on the planner takes the indexes that it takes on a ledger of years.
CALLS = 12  # A session plans a statement anew for its first five calls only.


@pytest.mark.parametrize(
    "statement",
    [
        "select budget.store('default', $1, $2, '1 hour', $3::uuid[], false)",
        "select budget.take('default', $1, $3::uuid[]), $2::timestamptz",
    ],
)
async def test_every_call_reads_the_indexes_of_a_long_ledger_and_never_all_of_it(
    fresh_database: str, statement: str
) -> None:
    """A plan that reads the whole table made each call of a ledger of years take a second."""
    await fill(fresh_database, ENTRIES)
    connection = await asyncpg.connect(sql.plain_url(fresh_database))
    decided = datetime.now(UTC) - timedelta(minutes=1)

    async with connection.transaction():
        for _ in range(CALLS):
            assert await connection.fetch(statement, ENTRIES, decided, [uuid4()])
        read = await connection.fetchval(
            "select seq_scan from pg_stat_xact_all_tables where relid = 'budget.ledger'::regclass"
        )
    await connection.close()

    assert read == 0


@pytest.fixture(scope="module")
async def long_ledger(database: str) -> str:
    """Three days of calls, one every 10 s or so."""
    await fill(database, LONG)
    return database


def asked(**span: datetime) -> UsageQuery:
    given = {"since": None, "until": None, **span}
    return UsageQuery(account="default", dimensions=["caller"], limit=1000, **given)


async def test_the_usage_of_an_hour_is_read_from_that_hour(long_ledger: str) -> None:
    """T9: beside the hour, the index of all commits that there ever were was read for each question."""
    connection = await asyncpg.connect(sql.plain_url(long_ledger))
    middle = await connection.fetchval(
        "select at from budget.ledger where sequence = $1", LONG // 2
    )
    statement = readings._USAGE.format(keys="outcome.caller as caller, ", groups="1")

    async with connection.transaction():
        span = (middle, middle + timedelta(hours=1))
        (found,) = await connection.fetch(statement, "default", *span, 1000)
        read = await connection.fetchval(
            "select pg_stat_get_xact_tuples_returned('budget.ledger_kind'::regclass)"
        )
    await connection.close()

    assert found["calls"] == 720
    assert read == 0


async def test_a_span_is_measured_before_it_is_summed(
    long_ledger: str, service_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """T9: too long a question is refused at once, with what would be answered."""
    engine = sql.create_engine(service_database("budget"), application="test")
    ledger = PostgresReadings(sql.Driver(engine, kept=0))
    connection = await asyncpg.connect(sql.plain_url(long_ledger))
    first, last = await connection.fetchrow("select min(at), max(at) from budget.ledger offset 0")
    instant = "select at from budget.ledger where sequence = $1"
    since, until = [await connection.fetchval(instant, number) for number in (20_000, 30_000)]
    await connection.close()

    monkeypatch.setattr(readings, "MOST_SUMMED", 10_000)
    within = await ledger.usage(asked(since=since, until=until), seconds=5)
    with pytest.raises(Refusal) as refused:
        await ledger.usage(asked(since=since, until=until + timedelta(seconds=30)), seconds=5)
    with pytest.raises(Refusal) as whole:
        await ledger.usage(asked(since=first, until=last + timedelta(days=1)), seconds=5)
    await engine.dispose()

    assert within.total == 5_000
    assert refused.value.reason == whole.value.reason == "USAGE_TOO_LARGE"
    assert refused.value.facts["limit"] == 10_000
    assert 10_000 < int(refused.value.facts["entries"]) <= 10_012
    assert whole.value.facts["entries"] == LONG


async def test_a_sum_that_takes_too_long_is_refused_and_not_asked_for_again(
    long_ledger: str, service_database: Callable[[str], str]
) -> None:
    """T9: it was summed twice until the limit of statements, and then the database was blamed."""
    assert long_ledger
    engine = sql.create_engine(service_database("budget"), application="test")
    ledger = PostgresReadings(sql.Driver(engine, kept=0))
    always = datetime.now(UTC) - timedelta(days=365)

    with pytest.raises(Refusal) as refused:
        await ledger.usage(asked(since=always), seconds=0.001)
    whole = await ledger.usage(asked(since=always), seconds=5)
    await engine.dispose()

    assert refused.value.reason == "USAGE_TOO_LARGE"
    assert refused.value.facts == {"entries": LONG, "seconds": "0.001"}
    assert whole.total == LONG // 2
