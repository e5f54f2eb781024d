"""What every call asks of the ledger, on one that is long."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from services.chassis import sql
from tests.bench.restart import fill

pytestmark = pytest.mark.anyio

ENTRIES = 5_001
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
