"""Answers to list requests, by what was asked."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import purging, sql
from services.keepa_gateway.ports import Listing
from services.keepa_gateway.storage.packing import expand
from services.keepa_gateway.storage.tables import listings

KEPT_FOR = timedelta(days=30)


async def keep_listing(
    connection: AsyncConnection, fingerprint: str, payload: bytes, fetched_at: datetime
) -> None:
    """Store a compressed answer to a request, unless a newer one is there."""
    row = insert(listings).values(fingerprint=fingerprint, fetched_at=fetched_at, payload=payload)
    newer = {"fetched_at": row.excluded.fetched_at, "payload": row.excluded.payload}
    await connection.execute(
        row.on_conflict_do_update(
            index_elements=[listings.c.fingerprint],
            set_=newer,
            where=listings.c.fetched_at < row.excluded.fetched_at,
        )
    )


class PostgresListings:
    """Implements ``ports.Listings``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, fingerprint: str, *, not_before: datetime | None) -> Listing | None:
        """Read by the primary key."""
        query = select(listings.c.payload, listings.c.fetched_at).where(
            listings.c.fingerprint == fingerprint
        )
        if not_before is not None:
            query = query.where(listings.c.fetched_at >= not_before)
        async with sql.statement(self._engine) as connection:
            row = (await connection.execute(query)).one_or_none()
        return Listing(expand(row.payload), row.fetched_at) if row is not None else None

    async def purge(self) -> None:
        """Forget what is older than any caller may ask for."""
        old = purging.older(listings, listings.c.fetched_at, KEPT_FOR)
        await purging.forget(self._engine, listings, old, chunk=purging.SMALL_CHUNK)
