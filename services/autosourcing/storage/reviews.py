"""Reads picks together with when their products were found before."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Subquery, func, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.autosourcing.domain.review import Sighting
from services.autosourcing.ports import SavedPick
from services.autosourcing.storage import rows, tables
from services.chassis.reading import parted


class PostgresReviews:
    """Implements ``ports.Reviews``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def sightings(
        self, start: datetime, end: datetime
    ) -> tuple[Sequence[Sighting], tuple[str, ...]]:
        """Read the picks without their scores, which only those that are shown need."""
        found = _history(start, end)
        columns = [column for column in rows.PICK_COLUMNS if column.name != "score"]
        query = select(*columns, literal(b"").label("score"), found.c.count, found.c.previous_at)
        query = query.add_columns(found.c.first_at)
        query = query.select_from(tables.picks.join(found, found.c.id == tables.picks.c.id))
        async with self._engine.connect() as connection:
            answer = await connection.execute(query.where(tables.picks.c.created_at >= start))
            named = [(f"picks/{row['id']}", row) for row in answer.mappings()]
        return parted(named, _sighting)

    async def saved(self, picks: Collection[UUID]) -> dict[UUID, SavedPick]:
        """Read the picks whole."""
        query = select(tables.picks).where(tables.picks.c.id == func.any(list(picks)))
        async with self._engine.connect() as connection:
            answer = await connection.execute(query)
            return {row["id"]: rows.saved_pick(row) for row in answer.mappings()}


def _sighting(row: RowMapping) -> Sighting:
    saved = rows.listed_pick(row)
    return Sighting(
        pick=saved.pick,
        action=saved.action,
        created_at=saved.created_at,
        count=row["count"],
        first_at=row["first_at"],
        previous_at=row["previous_at"],
    )


def _history(start: datetime, end: datetime) -> Subquery:
    """Each pick up to ``end`` of a product that was found in the time, with those before it."""
    picks, jobs = tables.picks.c, tables.jobs.c
    day = tables.picks.alias()
    of_the_day = select(day.c.asin).where(day.c.created_at >= start, day.c.created_at < end)
    window: dict[str, Any] = {
        "partition_by": [
            picks.asin,
            func.jsonb_extract_path_text(jobs.document, "plan", "spec", "criteria", "domain"),
        ],
        "order_by": [picks.created_at, picks.id],
    }
    query = (
        select(
            picks.id,
            func.row_number().over(**window).label("count"),
            func.first_value(picks.created_at).over(**window).label("first_at"),
            func.lag(picks.created_at).over(**window).label("previous_at"),
        )
        .select_from(tables.picks.join(tables.jobs))
        .where(picks.created_at < end, picks.asin.in_(of_the_day))
    )
    return query.subquery()
