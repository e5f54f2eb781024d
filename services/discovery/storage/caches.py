"""The caches as a whole: how well they serve, and forgetting what has expired."""

from sqlalchemy import text
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
_PURGES = (
    "delete from discovery.lists where expires_at < clock_timestamp()",
    "delete from discovery.scores where created_at < clock_timestamp() - interval '90 days'",
    "delete from discovery.requests where created_at < clock_timestamp() - interval '2 days'",
    "delete from discovery.flights where leased_until < clock_timestamp() - interval '1 hour'",
    "delete from discovery.steps where answered_at < clock_timestamp() - interval '30 days'",
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
        gone = 0
        for statement in _PURGES:
            async with sql.transaction(self._engine) as connection:
                gone += (await connection.execute(text(statement))).rowcount
        return gone
