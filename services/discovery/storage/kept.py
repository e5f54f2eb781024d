"""What people keep, and changes of it that happen once."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Table,
    delete,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import sql
from services.chassis.purging import CHUNK
from services.chassis.reading import parted
from services.discovery.domain.criteria import Filter
from services.discovery.domain.health import Purged
from services.discovery.domain.kept import BlockedProduct, Favorite, SavedNiche
from services.discovery.ports import Drawer, Page, Place
from services.discovery.storage.caches import entry_bytes
from services.discovery.storage.documents import packed, unpacked
from services.discovery.storage.requests import bind, see_same
from services.discovery.storage.tables import (
    blocked_products,
    favorites,
    lists,
    requests,
    saved_niches,
    score_cache,
)

T = TypeVar("T")
# One pass over the keys, in chunks. Rows are locked in the order in which others lock them, so that
# no two wait for each other for ever.
_PURGE = """
with found as (
    select key from discovery.{table}
    where key > :after and (:include_fresh or expires_at <= now())
    order by key limit :chunk for update
), gone as (
    delete from discovery.{table} as entry using found where entry.key = found.key
    returning {size} as size
)
select count(*), coalesce(sum(size), 0)::bigint, (select max(key) from found) from gone
"""
_PURGES = {
    "discovery": _PURGE.format(table="lists", size=entry_bytes(lists)),
    "scoring": _PURGE.format(table="score_cache", size=entry_bytes(score_cache)),
}


class PostgresDrawer:
    """Implements ``ports.Drawer`` on the connection of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def niche(self, niche_id: UUID) -> SavedNiche | None:
        """Read under a lock, so that two changes come one after the other."""
        query = select(saved_niches).where(saved_niches.c.id == niche_id).with_for_update()
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _value(row, SavedNiche)

    async def put_niche(self, niche: SavedNiche) -> None:
        """Insert, or replace everything."""
        row = asdict(niche) | {"filter": packed(niche.filter)}
        put = insert(saved_niches).values(row)
        await self._connection.execute(
            put.on_conflict_do_update(index_elements=[saved_niches.c.id], set_=row)
        )

    async def drop_niche(self, niche_id: UUID) -> None:
        """Delete the row."""
        await self._connection.execute(delete(saved_niches).where(saved_niches.c.id == niche_id))

    async def put_favorite(self, favorite: Favorite) -> Favorite:
        """Insert, or change the notes."""
        put = insert(favorites).values(asdict(favorite))
        return await self._put(put, favorites, ("notes", "updated_at"), Favorite)

    async def drop_favorite(self, domain: int, asin: str) -> bool:
        """Delete the row."""
        return await self._drop(favorites, domain, asin)

    async def put_blocked(self, blocked: BlockedProduct) -> BlockedProduct:
        """Insert, or change the reason."""
        put = insert(blocked_products).values(asdict(blocked))
        return await self._put(put, blocked_products, ("reason",), BlockedProduct)

    async def drop_blocked(self, domain: int, asin: str) -> bool:
        """Delete the row."""
        return await self._drop(blocked_products, domain, asin)

    async def unsettle(self, asin: str) -> None:
        """Take the scores out of the cache; a product is scored anew at no cost."""
        await self._connection.execute(delete(score_cache).where(score_cache.c.asin == asin))

    async def _put(self, put: Insert, table: Table, changed: tuple[str, ...], kind: type[T]) -> T:
        put = put.on_conflict_do_update(
            index_elements=[table.c.domain, table.c.asin],
            set_={name: put.excluded[name] for name in changed},
        )
        return _value((await self._connection.execute(put.returning(*table.c))).one(), kind)

    async def _drop(self, table: Table, domain: int, asin: str) -> bool:
        gone = delete(table).where(table.c.domain == domain, table.c.asin == asin)
        return await self._connection.scalar(gone.returning(table.c.asin)) is not None


class PostgresKept:
    """Implements ``ports.Kept`` and ``ports.Blocks``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def once(
        self,
        request_id: UUID,
        fingerprint: str,
        kind: type[T],
        act: Callable[[Drawer], Awaitable[T]],
    ) -> T:
        """Bind, act and answer in one transaction: a copy waits for it and reads the answer."""
        async with sql.transaction(self._engine) as connection:
            bound = await bind(connection, request_id, fingerprint)
            if bound.attempts > 1:
                return unpacked(bound.answer, kind)
            done = await act(PostgresDrawer(connection))
            answered = update(requests).where(requests.c.request_id == request_id)
            await connection.execute(answered.values(answer=packed(done)))
        return done

    async def recalled(self, request_id: UUID, fingerprint: str, kind: type[T]) -> T | None:
        """Read what `once` has stored."""
        query = select(requests.c.fingerprint, requests.c.answer)
        query = query.where(requests.c.request_id == request_id)
        async with sql.statement(self._engine) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        see_same(request_id, row.fingerprint, fingerprint)
        return unpacked(row.answer, kind)

    async def purge(
        self, cache: str, *, include_fresh: bool, chunk: int = CHUNK
    ) -> AsyncGenerator[Purged, None]:
        """Delete and count a chunk by one statement, which is a transaction."""
        purge, after = text(_PURGES[cache]), ""
        while after is not None:
            values = {"after": after, "include_fresh": include_fresh, "chunk": chunk}
            async with sql.statement(self._engine) as connection:
                entries, size_bytes, after = (await connection.execute(purge, values)).one()
            yield Purged(entries, size_bytes)

    async def niche(self, niche_id: UUID) -> SavedNiche | None:
        """Read one row."""
        query = select(saved_niches).where(saved_niches.c.id == niche_id)
        async with sql.statement(self._engine) as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _value(row, SavedNiche)

    async def niches(self, *, size: int, after: Place) -> Page[SavedNiche]:
        """Page backwards by time and id, which no two rows share."""
        columns = saved_niches.c
        order = (columns.created_at, columns.id)
        before = None if after is None else (datetime.fromisoformat(after[0]), UUID(after[1]))
        rows = await self._rows(_newest(saved_niches, order, before, size))
        shown, unreadable = parted(
            [(f"bookmarks/{row.id}", row) for row in rows[:size]],
            lambda row: _value(row, SavedNiche),
        )
        return Page(shown, _place(rows, size, lambda row: str(row.id)), unreadable)

    async def note_score(self, niche_id: UUID, score: float | None, examined_at: datetime) -> None:
        """Update the row, unless a later examination is noted already."""
        earlier = saved_niches.c.last_examined_at
        noted = (
            update(saved_niches)
            .where(saved_niches.c.id == niche_id, or_(earlier.is_(None), earlier < examined_at))
            .values(last_score=score, last_examined_at=examined_at)
        )
        async with sql.statement(self._engine) as connection:
            await connection.execute(noted)

    async def favorites(self, *, size: int, after: Place) -> Page[Favorite]:
        """Page backwards by time and product, which no two rows share."""
        return await self._products(favorites, Favorite, size, after)

    async def blocked(self, *, size: int, after: Place) -> Page[BlockedProduct]:
        """Page backwards by time and product, which no two rows share."""
        return await self._products(blocked_products, BlockedProduct, size, after)

    async def reasons(self, domain: int, asins: Collection[str]) -> dict[str, str]:
        """Look up by the primary key."""
        columns = blocked_products.c
        query = select(columns.asin, columns.reason).where(
            columns.domain == domain, columns.asin.in_(list(asins))
        )
        return {row.asin: row.reason for row in await self._rows(query)}

    async def _products(self, table: Table, kind: type[T], size: int, after: Place) -> Page[T]:
        order = (table.c.created_at, table.c.domain, table.c.asin)
        before: tuple[Any, ...] | None = None
        if after is not None:
            domain, _, asin = after[1].partition("-")
            before = (datetime.fromisoformat(after[0]), int(domain), asin)
        rows = await self._rows(_newest(table, order, before, size))
        shown = tuple(_value(row, kind) for row in rows[:size])
        return Page(shown, _place(rows, size, lambda row: f"{row.domain}-{row.asin}"))

    async def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        async with sql.statement(self._engine) as connection:
            return list((await connection.execute(query)).all())


def _newest(
    table: Table,
    order: tuple[ColumnElement[Any], ...],
    before: tuple[Any, ...] | None,
    size: int,
) -> Select[Any]:
    query = select(table).order_by(*(column.desc() for column in order)).limit(size + 1)
    return query if before is None else query.where(tuple_(*order) < before)


def _place(rows: list[Row[Any]], size: int, identity: Callable[[Row[Any]], str]) -> Place:
    """Name the last row that is shown, when there is one behind it."""
    if len(rows) <= size:
        return None
    return rows[size - 1].created_at.isoformat(), identity(rows[size - 1])


def _value(row: Row[Any], kind: type[T]) -> T:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's own name for a public view
    if "filter" in values:
        values["filter"] = unpacked(values["filter"], Filter)
    return kind(**values)
