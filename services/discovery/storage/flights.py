"""Leases on what is being fetched, over all replicas."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql
from services.discovery.storage.documents import now_and
from services.discovery.storage.tables import flights


class PostgresFlights:
    """Implements ``ports.Flights``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def take(self, key: str, holder: UUID, *, duration: timedelta) -> bool:
        """Take a free or expired lease, or prolong the own one: one statement decides."""
        put = insert(flights).values(
            key=key, holder=holder, leased_until=now_and(duration.total_seconds())
        )
        put = put.on_conflict_do_update(
            index_elements=[flights.c.key],
            set_={"holder": put.excluded.holder, "leased_until": put.excluded.leased_until},
            where=or_(flights.c.holder == holder, flights.c.leased_until < func.clock_timestamp()),
        )
        async with sql.statement(self._engine) as connection:
            return await connection.scalar(put.returning(flights.c.key)) is not None

    async def busy(self, key: str) -> bool:
        """Look for a lease that runs."""
        query = select(flights.c.key).where(
            flights.c.key == key, flights.c.leased_until >= func.clock_timestamp()
        )
        async with sql.statement(self._engine) as connection:
            return await connection.scalar(query) is not None

    async def drop(self, key: str, holder: UUID) -> None:
        """Delete the own lease; one that somebody else took over stays."""
        mine = delete(flights).where(flights.c.key == key, flights.c.holder == holder)
        async with sql.statement(self._engine) as connection:
            await connection.execute(mine)
