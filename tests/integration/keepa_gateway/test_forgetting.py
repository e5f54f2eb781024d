"""What is too old to be asked for is forgotten, by the service's own role."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import text

from services.chassis import sql
from services.keepa_gateway.storage.attempts import PostgresAttempts
from services.keepa_gateway.storage.listings import PostgresListings
from services.keepa_gateway.storage.snapshots import PostgresSnapshots

pytestmark = pytest.mark.anyio

# Of each kind one that is too old and one that is not; of attempts also some nobody has settled:
# one that may have been sent, and of those that were not an old one and a young one.
STATEMENTS = """
insert into keepa_gateway.attempts (attempt_id, request_id, number, content, endpoint, fingerprint,
    subjects, reservation, bound, after_sequence, state, started_at, give_up_at, settled_at)
select gen_random_uuid(), gen_random_uuid(), 1, '', '', '', '{}', '', 1, 0, 'sent',
    now() - interval '31 days', now(), settled_at
from (values (now() - interval '31 days'), (now()), (null)) as settled (settled_at);
insert into keepa_gateway.claims select 'open', attempt_id
from keepa_gateway.attempts where settled_at is null;
insert into keepa_gateway.attempts (attempt_id, request_id, number, content, endpoint, fingerprint,
    subjects, reservation, bound, after_sequence, state, started_at, give_up_at)
select gen_random_uuid(), gen_random_uuid(), 1, '', '', '', '{}', '', 1, 0, 'fenced',
    started_at, now()
from (values (now() - interval '31 days'), (now() - interval '29 days')) as started (started_at);
insert into keepa_gateway.listings values
    ('old', now() - interval '31 days', ''), ('new', now() - interval '29 days', '');
insert into keepa_gateway.snapshots
select 1, fingerprint, '', '{}', true, '{}', fetched_at, '', '' from keepa_gateway.listings
"""
LEFT = """
select (select count(*) from keepa_gateway.attempts), (select count(*) from keepa_gateway.claims),
    (select string_agg(fingerprint, ' ') from keepa_gateway.listings),
    (select string_agg(asin, ' ') from keepa_gateway.snapshots)
"""


async def test_only_what_is_old_and_settled_is_forgotten(
    service_database: Callable[[str], str],
) -> None:
    """G3, INV-4: tables stay small, and a call whose tokens are not accounted for stays known."""
    engine = sql.create_engine(service_database("keepa_gateway"), application="test")
    nobody = cast("Any", None)
    async with sql.transaction(engine) as connection:
        for statement in STATEMENTS.split(";"):
            await connection.execute(text(statement))

    await PostgresAttempts(engine, nobody, nobody, nobody, grace=timedelta(0)).purge()
    await PostgresListings(engine).purge()
    await PostgresSnapshots(engine, nobody).purge()

    async with engine.connect() as connection:
        left = (await connection.execute(text(LEFT))).one()
    await engine.dispose()
    assert tuple(left) == (3, 1, "new", "new")
