"""The caches as a whole: how well they serve, and forgetting what has expired."""

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql
from services.discovery.domain.health import CacheHealth

_HEALTH = """
select 'discovery' as cache,
       count(*) filter (where expires_at > clock_timestamp()) as entries,
       count(*) filter (where expires_at <= clock_timestamp()) as expired,
       coalesce(sum(hits), 0)::bigint as hits,
       pg_total_relation_size('discovery.lists') as size_bytes,
       (select coalesce(sum(lists), 0) from discovery.searches) as requests,
       (select coalesce(sum(lists_stored), 0) from discovery.searches) as served
from discovery.lists
union all
select 'scoring',
       count(*) filter (where expires_at > clock_timestamp()),
       count(*) filter (where expires_at <= clock_timestamp()),
       coalesce(sum(hits), 0)::bigint,
       pg_total_relation_size('discovery.score_cache') + pg_total_relation_size('discovery.scores'),
       (select coalesce(sum(scores), 0) from discovery.searches),
       (select coalesce(sum(scores_stored), 0) from discovery.searches)
from discovery.score_cache
"""
CHUNK = 2_000
"""Rows that are forgotten in one transaction, so that a backlog of any length goes in the end."""

# In the order of the keys, and what somebody else has locked is left for another day: nobody
# waits for a purge, nor a purge for anybody. Scores leave the cache before they are deleted,
# because the database would take them from it in any order.
_PURGE = """
delete from discovery.{table} where {key} in (
    select entry.{key} from discovery.{table} as entry {which}
    order by entry.{key} limit :chunk for update of entry skip locked)
"""
_OLD_SCORES = "scores.created_at < clock_timestamp() - interval '90 days'"
_PURGES = tuple(
    _PURGE.format(table=table, key=key, which=which)
    for table, key, which in (
        ("lists", "key", "where expires_at < clock_timestamp()"),
        ("score_cache", "key", f"join discovery.scores on scores.id = score_id and {_OLD_SCORES}"),
        ("scores", "id", "where created_at < clock_timestamp() - interval '90 days'"),
        ("requests", "request_id", "where created_at < clock_timestamp() - interval '2 days'"),
        ("flights", "key", "where leased_until < clock_timestamp() - interval '1 hour'"),
        ("steps", "step_id", "where answered_at < clock_timestamp() - interval '30 days'"),
    )
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

    async def purge(self) -> int:
        """Forget lists at once; scores after 90 days, so that they can be explained till then."""
        return sum([await self._purge(text(each)) for each in _PURGES])

    async def _purge(self, statement: TextClause) -> int:
        gone = 0
        while True:
            async with sql.transaction(self._engine) as connection:
                chunk = (await connection.execute(statement, {"chunk": CHUNK})).rowcount
            gone += chunk
            if chunk < CHUNK:
                return gone
