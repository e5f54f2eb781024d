"""The caches as a whole: how well they serve, and forgetting what has expired."""

from datetime import timedelta

from sqlalchemy import Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql
from services.chassis.purging import CHUNK, forget, older
from services.discovery.domain.health import CacheHealth
from services.discovery.storage.tables import (
    flights,
    lists,
    requests,
    score_cache,
    scores,
    steps,
)


def entry_bytes(table: Table) -> str:
    """Write how many bytes an `entry` of a table takes, each column as it is stored.

    The size of a whole row would be that of its values unpacked, and have them all read for it.
    """
    return " + ".join(f"coalesce(pg_column_size(entry.{column.name}), 0)" for column in table.c)


# History is for ever, so what is said of it is about a time that ends.
_HEALTH = f"""
with asked as materialized (
    select coalesce(sum(lists), 0) as lists, coalesce(sum(lists_stored), 0) as lists_stored,
        coalesce(sum(scores), 0) as scores, coalesce(sum(scores_stored), 0) as scores_stored
    from discovery.searches where created_at > now() - interval '7 days')
select 'discovery' as cache,
       count(*) filter (where expires_at > clock_timestamp()) as entries,
       count(*) filter (where expires_at <= clock_timestamp()) as expired,
       coalesce(sum(hits), 0)::bigint as hits,
       coalesce(sum({entry_bytes(lists)}), 0)::bigint as size_bytes,
       (select lists from asked) as requests,
       (select lists_stored from asked) as served
from discovery.lists as entry
union all
select 'scoring',
       count(*) filter (where expires_at > clock_timestamp()),
       count(*) filter (where expires_at <= clock_timestamp()),
       coalesce(sum(hits), 0)::bigint,
       coalesce(sum({entry_bytes(score_cache)}), 0)::bigint,
       (select scores from asked),
       (select scores_stored from asked)
from discovery.score_cache as entry
"""  # noqa: S608 - only column names are put in
SCORES_KEPT = timedelta(days=90)
"""How long a score can be explained."""

REQUESTS_KEPT = timedelta(days=2)
FLIGHTS_KEPT = timedelta(hours=1)
STEPS_KEPT = timedelta(days=30)
_AT_ONCE = timedelta(0)

# Scores leave the cache before they are deleted, and one that somebody has locked there stays: the
# database would take it from the cache, too, but wait for whoever that is.
_CACHED = (
    select(score_cache.c.key)
    .join(scores, scores.c.id == score_cache.c.score_id)
    .where(scores.c.created_at < func.now() - SCORES_KEPT)
    .order_by(scores.c.created_at)
)
_CACHED_STILL = select(score_cache.c.key).where(score_cache.c.score_id == scores.c.id)
_PURGES = (
    (lists, older(lists, lists.c.expires_at, _AT_ONCE)),
    (score_cache, _CACHED),
    (scores, older(scores, scores.c.created_at, SCORES_KEPT).where(~_CACHED_STILL.exists())),
    (requests, older(requests, requests.c.created_at, REQUESTS_KEPT)),
    (flights, older(flights, flights.c.leased_until, FLIGHTS_KEPT)),
    (steps, older(steps, steps.c.answered_at, STEPS_KEPT)),
)


class PostgresCaches:
    """Implements ``ports.Caches``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def health(self) -> list[CacheHealth]:
        """Read both caches in one look."""
        async with sql.transaction(self._engine) as connection:
            rows = (await connection.execute(text(_HEALTH))).mappings().all()
        return [CacheHealth(**row) for row in rows]

    async def purge(self, *, chunk: int = CHUNK) -> int:
        """Forget lists at once; scores after 90 days, so that they can be explained till then."""
        return sum([await forget(self._engine, *each, chunk=chunk) for each in _PURGES])
