"""The history of searches, which the service may add to but never change."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from services.discovery.domain.criteria import Filter
from services.discovery.domain.past import Search, SearchKind, SearchSource
from services.discovery.domain.stops import StopReason
from services.discovery.ports import SearchPage
from services.discovery.storage.packing import packed, unpacked
from services.discovery.storage.single import statement
from services.discovery.storage.tables import searches


class PostgresSearches:
    """Implements ``ports.Searches``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, search: Search) -> None:
        """Insert once; a repeated step brings the same id."""
        row = {name: getattr(search, name) for name in searches.c.keys()}  # noqa: SIM118
        row["filter"] = None if search.filter is None else packed(search.filter)
        async with statement(self._engine) as connection:
            await connection.execute(insert(searches).values(row).on_conflict_do_nothing())

    async def page(
        self, kind: SearchKind | None, job: str, *, size: int, after: tuple[str, str] | None
    ) -> SearchPage:
        """Page backwards by time and id, which no two rows share."""
        columns = searches.c
        query = select(searches).order_by(columns.created_at.desc(), columns.id.desc())
        query = query.limit(size + 1)
        if kind is not None:
            query = query.where(columns.kind == kind)
        if job:
            query = query.where(columns.job == job)
        if after is not None:
            place = (datetime.fromisoformat(after[0]), UUID(after[1]))
            query = query.where(tuple_(columns.created_at, columns.id) < place)
        async with statement(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        shown = [_search(row) for row in rows[:size]]
        more = None
        if len(rows) > size:
            more = (shown[-1].created_at.isoformat(), str(shown[-1].id))
        return SearchPage(tuple(shown), more)


def _search(row: Row[Any]) -> Search:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's own name for a public view
    values["kind"] = SearchKind(values["kind"])
    values["source"] = SearchSource(values["source"])
    values["stop"] = values["stop"] and StopReason(values["stop"])
    values["filter"] = values["filter"] and unpacked(values["filter"], Filter)
    return Search(**values)
