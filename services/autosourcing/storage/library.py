"""Reads of what is stored, each one consistent picture."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.autosourcing.domain.job import Job, State
from services.autosourcing.domain.picks import Analysis
from services.autosourcing.domain.spec import Profile
from services.autosourcing.ports import (
    Moment,
    NewestPlace,
    Page,
    PickFilter,
    PickPlace,
    SavedPick,
    Stats,
)
from services.autosourcing.storage import rows, tables
from services.autosourcing.storage.documents import raw, rebuilt

_MONTH = text("interval '30 days'")
_BUYS = ("BUY", "STRONG_BUY")


class PostgresLibrary:
    """Implements ``ports.Library``.

    A job's row says up to which sequence its picks and products belong to the picture, so
    no read needs a snapshot of the whole database.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def job(self, job_id: UUID) -> tuple[Job, list[Analysis]] | None:
        """Read the job first, then its products as of then."""
        async with self._engine.connect() as connection:
            query = select(tables.jobs.c.document).where(tables.jobs.c.id == job_id)
            job: Job | None = await connection.scalar(query)
            if job is None:
                return None
            products = await _products(connection, job_id, 0, job.sequence)
            return job, [product for found in products.values() for product in found]

    async def jobs(
        self, state: State | None, after: NewestPlace | None, size: int
    ) -> Page[Job, NewestPlace]:
        """Page by creation and id."""
        table = tables.jobs
        query = select(table.c.id, table.c.created_at, raw(table.c.document))
        if state is not None:
            query = query.where(table.c.state == state.value)
        if after is not None:
            query = query.where(tuple_(table.c.created_at, table.c.id) < after)
        query = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(size + 1)
        async with self._engine.connect() as connection:
            found = (await connection.execute(query)).mappings().all()
        return rows.page(
            found, size, "jobs", lambda row: rebuilt(Job, row["document"]), rows.newest_place
        )

    async def snapshot(self, job_id: UUID, at: int | None) -> Moment | None:
        """Read the moment; everything found up to it belongs to it."""
        table = tables.moments
        query = select(table).where(table.c.job_id == job_id)
        if at is not None:
            query = query.where(table.c.sequence == at)
        query = query.order_by(table.c.sequence.desc()).limit(1)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is None:
                return None
            picks = await _picks(connection, job_id, 0, row["sequence"])
            products = await _products(connection, job_id, 0, row["sequence"])
        return Moment(
            row["document"],
            row["changed_at"],
            tuple(pick for found in picks.values() for pick in found),
            tuple(product for found in products.values() for product in found),
        )

    async def moments(self, job_id: UUID, after: int, most: int) -> list[Moment]:
        """Read the moments with what each found."""
        table = tables.moments
        query = select(table).where(table.c.job_id == job_id, table.c.sequence > after)
        query = query.order_by(table.c.sequence).limit(most)
        async with self._engine.connect() as connection:
            found = (await connection.execute(query)).mappings().all()
            if not found:
                return []
            last = found[-1]["sequence"]
            picks = await _picks(connection, job_id, after, last)
            products = await _products(connection, job_id, after, last)
        return [
            Moment(
                row["document"],
                row["changed_at"],
                tuple(picks.get(row["sequence"], ())),
                tuple(products.get(row["sequence"], ())),
            )
            for row in found
        ]

    async def picks(
        self, which: PickFilter, after: PickPlace | None, size: int
    ) -> Page[SavedPick, PickPlace]:
        """Page in listing order; the descending columns are compared negated."""
        table = tables.picks
        query = select(*rows.PICK_COLUMNS)
        if which.job_id is not None:
            query = query.where(table.c.job_id == which.job_id)
        if which.action is not None:
            query = query.where(table.c.action == which.action.value)
        if after is not None:
            query = query.where(_behind(after))
        async with self._engine.connect() as connection:
            found = (await connection.execute(_listed(query).limit(size + 1))).mappings().all()
        return rows.page(found, size, "picks", rows.listed_pick, rows.pick_place)

    async def profiles(self, after: str, size: int) -> Page[Profile, str]:
        """Page by id."""
        table = tables.profiles
        query = select(table.c.id, raw(table.c.document)).where(table.c.id > after)
        async with self._engine.connect() as connection:
            answer = await connection.execute(query.order_by(table.c.id).limit(size + 1))
            found = answer.mappings().all()
        return rows.page(
            found,
            size,
            "profiles",
            lambda row: rebuilt(Profile, row["document"]),
            lambda row: str(row["id"]),
        )

    async def stats(self, since: datetime | None, until: datetime | None) -> Stats:
        """Sum over jobs and their picks."""
        jobs, picks = tables.jobs.c, tables.picks.c
        made = [
            jobs.created_at >= (since if since is not None else func.now() - _MONTH),
            jobs.created_at < (until if until is not None else func.clock_timestamp()),
        ]
        sums = select(
            func.coalesce(func.sum(jobs.tokens), 0),
            func.coalesce(func.sum(jobs.analyzed), 0),
            func.avg(jobs.ended_at - jobs.started_at),
        )
        states = select(jobs.state, func.count()).where(*made).group_by(jobs.state)
        found = (
            select(func.count(), func.count().filter(picks.recommendation.in_(_BUYS)))
            .select_from(tables.picks.join(tables.jobs))
            .where(*made)
        )
        async with self._engine.connect() as connection:
            counts = {State(row[0]): row[1] for row in await connection.execute(states)}
            tokens, analyzed, mean = (await connection.execute(sums.where(*made))).one()
            all_picks, buys = (await connection.execute(found)).one()
        return Stats(counts, int(tokens), int(analyzed), all_picks, buys, mean)


def _listed(query: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
    table = tables.picks.c
    return query.order_by(
        table.kind, table.sort_score.desc(), table.profit_cents.desc(), table.asin, table.id
    )


def _behind(after: PickPlace) -> ColumnElement[bool]:
    table = tables.picks.c
    place = (
        rows.kind_number(after.kind),
        -Decimal(after.sort_score),
        -after.profit_cents,
        after.asin,
        after.id,
    )
    return tuple_(table.kind, -table.sort_score, -table.profit_cents, table.asin, table.id) > place


async def _picks(
    connection: AsyncConnection, job_id: UUID, after: int, last: int
) -> dict[int, list[SavedPick]]:
    """Picks by the sequence that found them, each in listing order."""
    table = tables.picks
    query = select(table).where(
        table.c.job_id == job_id, table.c.sequence > after, table.c.sequence <= last
    )
    grouped: dict[int, list[SavedPick]] = {}
    for row in (await connection.execute(_listed(query))).mappings():
        grouped.setdefault(row["sequence"], []).append(rows.saved_pick(row))
    return grouped


async def _products(
    connection: AsyncConnection, job_id: UUID, after: int, last: int
) -> dict[int, list[Analysis]]:
    """Products by the sequence that told what became of them, in the order asked for."""
    table = tables.products
    query = (
        select(table)
        .where(table.c.job_id == job_id, table.c.sequence > after, table.c.sequence <= last)
        .order_by(table.c.sequence, table.c.position)
    )
    grouped: dict[int, list[Analysis]] = {}
    for row in (await connection.execute(query)).mappings():
        grouped.setdefault(row["sequence"], []).append(rows.analysis(row))
    return grouped
