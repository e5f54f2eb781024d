"""The history of searches, which the service may add to but never change."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql
from services.chassis.reading import parted, readable
from services.discovery.domain.answers import Appraisal
from services.discovery.domain.criteria import Filter
from services.discovery.domain.past import Search, SearchKind, SearchSource
from services.discovery.domain.stops import StopReason
from services.discovery.ports import Page, Place
from services.discovery.storage.documents import packed, unpacked
from services.discovery.storage.scores import read_score, score_name
from services.discovery.storage.tables import search_results, searches

# Every search ends with it: written out, so that no statement is put together for each.
_ADD = text("""
with added as (
    insert into discovery.searches (
        id, kind, source, caller, filter, results, stored, tokens,
        cache_hit, seconds, mean_roi, job, stop, created_at,
        lists, lists_stored, scores, scores_stored
    ) values (
        :id, :kind, :source, :caller, :filter, :results, :stored, :tokens,
        :cache_hit, :seconds, :mean_roi, :job, :stop, :created_at,
        :lists, :lists_stored, :scores, :scores_stored
    )
    on conflict do nothing
    returning id
)
insert into discovery.search_results (search_id, asins, score_ids)
select id, :asins, :score_ids from added
""").bindparams(
    *(bindparam(column.name, type_=column.type) for column in searches.c),
    *(bindparam(name, type_=search_results.c[name].type) for name in ("asins", "score_ids")),
)
# A product comes with its score for as long as that is kept, and can be read.
_RESULTS = text("""
select found.asin, found.score_id, scores.content
from discovery.search_results,
    unnest(asins[:first : :last], score_ids[:first : :last])
        with ordinality as found (asin, score_id, place)
    left join discovery.scores on scores.id = found.score_id
where search_id = :search_id
order by found.place
""")


class PostgresSearches:
    """Implements ``ports.Searches``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, search: Search) -> None:
        """Insert once, with what was found, in one statement; a repeated step has the same id."""
        row = {name: getattr(search, name) for name in searches.c.keys()}  # noqa: SIM118
        row["filter"] = None if search.filter is None else packed(search.filter)
        row["asins"] = [asin for asin, _ in search.found]
        row["score_ids"] = [score for _, score in search.found]
        async with sql.statement(self._engine) as connection:
            await connection.execute(_ADD, row)

    async def find(self, search_id: UUID) -> Search | None:
        """Read one row."""
        query = select(searches).where(searches.c.id == search_id)
        async with sql.statement(self._engine) as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _search(row)

    async def found(
        self, search_id: UUID, *, start: int, size: int
    ) -> list[tuple[str, Appraisal | None]]:
        """Read a slice of the arrays, which count from 1."""
        values = {"search_id": search_id, "first": start + 1, "last": start + size}
        async with sql.statement(self._engine) as connection:
            rows = (await connection.execute(_RESULTS, values)).all()
        return [
            (row.asin, row.content and readable(score_name(row.score_id), read_score, row.content))
            for row in rows
        ]

    async def page(
        self, kind: SearchKind | None, job: str, *, size: int, after: Place
    ) -> Page[Search]:
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
        async with sql.statement(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        shown, unreadable = parted([(f"searches/{row.id}", row) for row in rows[:size]], _search)
        more = None
        if len(rows) > size:
            more = (rows[size - 1].created_at.isoformat(), str(rows[size - 1].id))
        return Page(shown, more, unreadable)


def _search(row: Row[Any]) -> Search:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's own name for a public view
    values["kind"] = SearchKind(values["kind"])
    values["source"] = SearchSource(values["source"])
    values["stop"] = values["stop"] and StopReason(values["stop"])
    if values["filter"] is not None:
        values["filter"] = unpacked(values["filter"], Filter)
    return Search(**values)
