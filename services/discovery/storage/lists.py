"""Lists of ASINs by the key of their filter."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Integer, any_, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.elements import ColumnElement

from services.chassis import sql
from services.discovery.domain.answers import Listing, sifted
from services.discovery.domain.criteria import Filter
from services.discovery.storage.documents import packed
from services.discovery.storage.tables import blocked_products, lists

LIFE = timedelta(hours=24)
_BLOCKED = (
    select(func.array_agg(blocked_products.c.asin))
    .where(
        blocked_products.c.domain == lists.c.filter["domain"].astext.cast(Integer),
        blocked_products.c.asin == any_(lists.c.asins),
    )
    .correlate(lists)
    .scalar_subquery()
    .label("blocked")
)
_COLUMNS = (lists.c.asins, lists.c.total, lists.c.found_at, _BLOCKED)

# What everybody's dashboard asks: written out, so that no statement is put together for each.
_READ = text("""
update discovery.lists set hits = hits + 1
where key = :key and expires_at > clock_timestamp()
returning asins, total, found_at, (
    select array_agg(asin) from discovery.blocked_products
    where domain = cast(lists.filter ->> 'domain' as integer) and asin = any(lists.asins)
) as blocked, set_config('synchronous_commit', 'off', true)
""")


class PostgresLists:
    """Implements ``ports.Lists``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def read(self, key: str) -> Listing | None:
        """Read and count in one statement, which waits for no disk: it is only a count."""
        return await self._one(_READ.bindparams(key=key))

    async def peek(self, key: str) -> Listing | None:
        """Read without counting."""
        return await self._one(select(*_COLUMNS).where(*_fresh(key)))

    async def last(self, key: str) -> Listing | None:
        """Read what has not been purged yet, and count in one statement."""
        fresh = (lists.c.expires_at > func.clock_timestamp()).label("fresh")
        query = update(lists).where(lists.c.key == key).values(hits=lists.c.hits + 1)
        return await self._one(query.returning(*_COLUMNS, fresh))

    async def write(self, wanted: Filter, listing: Listing) -> Listing:
        """Put a list in place of the one before, unless that is newer; the hits stay."""
        row = {
            "key": wanted.key,
            "filter": packed(wanted),
            "asins": list(listing.asins),
            "total": listing.total,
            "hits": 0,
            "found_at": listing.found_at,
            "expires_at": (listing.found_at or func.clock_timestamp()) + LIFE,
        }
        put = insert(lists).values(row)
        kept = ("asins", "total", "found_at", "expires_at")
        put = put.on_conflict_do_update(
            index_elements=[lists.c.key],
            set_={name: put.excluded[name] for name in kept},
            where=lists.c.found_at <= put.excluded.found_at,
        )
        async with sql.statement(self._engine) as connection:
            await connection.execute(put)
        gone = select(blocked_products.c.asin).where(
            blocked_products.c.domain == wanted.domain,
            blocked_products.c.asin == any_(literal(list(listing.asins), lists.c.asins.type)),
        )
        async with sql.statement(self._engine) as connection:
            return sifted(listing, set((await connection.execute(gone)).scalars()))

    async def _one(self, query: Any) -> Listing | None:
        async with sql.statement(self._engine) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        whole = Listing(
            asins=tuple(row.asins),
            total=row.total,
            found_at=row.found_at,
            cached=True,
            stale=not getattr(row, "fresh", True),
        )
        return sifted(whole, set(row.blocked)) if row.blocked else whole


def _fresh(key: str) -> tuple[ColumnElement[bool], ...]:
    return lists.c.key == key, lists.c.expires_at > func.clock_timestamp()
