"""The revisions of the configuration: added one by one, never changed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from google.protobuf.message import Message
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import sql
from services.chassis.events import outbox as outboxes
from services.chassis.reading import readable
from services.discovery.domain.answers import recommendation_on
from services.discovery.domain.scoring.config import BUILT_IN, Config
from services.discovery.ports import Page, Place, Revision, Standing
from services.discovery.storage.documents import packed, unpacked
from services.discovery.storage.requests import bind
from services.discovery.storage.tables import config_revisions, outbox, requests, score_cache

_LOCK = text("select pg_advisory_xact_lock(:number)").bindparams(
    number=sql.lock_number("discovery configuration")
)
REVISION_NOW = select(
    func.coalesce(func.max(config_revisions.c.revision), BUILT_IN.revision)
).scalar_subquery()
"""The revision that holds, for statements that compare with it."""


class PostgresRulebook:
    """Implements ``ports.Rulebook``; ``announce`` writes the event that a change is told by."""

    def __init__(self, engine: AsyncEngine, announce: Callable[[Config], Message]) -> None:
        self._engine = engine
        self._announce = announce

    async def current(self) -> Config:
        """Read the newest row."""
        async with sql.statement(self._engine) as connection:
            return await _current(connection)

    async def revise(
        self, request_id: UUID, fingerprint: str, act: Callable[[Config], Config]
    ) -> Config:
        """Bind, change, tell and answer in one transaction, one change after the other."""
        async with sql.transaction(self._engine) as connection:
            bound = await bind(connection, request_id, fingerprint)
            if bound.attempts > 1:
                return unpacked(bound.answer, Config)
            await connection.execute(_LOCK)
            held = await _current(connection)
            made = act(held)
            if made.revision != held.revision:
                await connection.execute(insert(config_revisions).values(_row(made)))
                told = uuid5(request_id, "configuration changed")
                await outboxes.put(connection, outbox, self._announce(made), event_id=told)
            answered = update(requests).where(requests.c.request_id == request_id)
            await connection.execute(answered.values(answer=packed(made)))
        return made

    async def page(self, *, size: int, after: Place) -> Page[Revision]:
        """Read one row more than is shown: each is told with what it changed."""
        columns = config_revisions.c
        query = select(columns.revision, columns.config).order_by(columns.revision.desc())
        query = query.limit(size + 1)
        if after is not None:
            query = query.where(columns.revision < int(after[0]))
        async with sql.statement(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        found = [(row.revision, readable(_name(row.revision), _config, row.config)) for row in rows]
        if len(rows) <= size:
            found.append((BUILT_IN.revision, BUILT_IN))
        before = [*(config for _, config in found[1:]), None]
        shown = tuple(
            Revision(config, older if older or number == BUILT_IN.revision else config)
            for (number, config), older in zip(found[:size], before, strict=False)
            if config is not None
        )
        more = (str(found[size - 1][0]), "") if len(found) > size else None
        unreadable = tuple(str(number) for number, config in found[:size] if config is None)
        return Page(shown, more, unreadable)

    async def standing(self) -> Standing:
        """Count in one look, each product and question once."""
        columns = score_cache.c
        current = columns.revision == REVISION_NOW
        known = func.count().label("scores")
        query = select(
            current.label("current"),
            columns.rung,
            known,
            func.sum(columns.roi),
            func.count(columns.roi),
            func.sum(columns.velocity),
            func.count(columns.velocity),
            func.sum(columns.confidence),
        ).group_by(current, columns.rung)
        async with sql.statement(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        return _standing([tuple(row) for row in rows])


def _name(revision: int) -> str:
    return f"revision {revision} of the scoring configuration"


async def _current(connection: AsyncConnection) -> Config:
    columns = config_revisions.c
    newest = select(columns.config).order_by(columns.revision.desc()).limit(1)
    row = (await connection.execute(newest)).one_or_none()
    return BUILT_IN if row is None else _config(row.config)


def _config(document: object) -> Config:
    """Read a revision; a strategy or view that came with a later version is the built-in one."""
    stored = unpacked(document, Config)
    return replace(
        stored,
        strategies={**BUILT_IN.strategies, **stored.strategies},
        view_rois={**BUILT_IN.view_rois, **stored.view_rois},
    )


def _row(config: Config) -> dict[str, Any]:
    assert isinstance(config.made_at, datetime)
    return {
        "revision": config.revision,
        "config": packed(config),
        "created_at": config.made_at,
    }


def _standing(rows: list[tuple[Any, ...]]) -> Standing:
    now = [row for row in rows if row[0]]
    total = sum(row[2] for row in now)

    def mean(values: int, counts: int) -> float | None:
        count = sum(row[counts] for row in now)
        return sum(row[values] or 0.0 for row in now) / count if count else None

    return Standing(
        scores=total,
        stale=sum(row[2] for row in rows) - total,
        recommendations={recommendation_on(row[1]): row[2] for row in now},
        mean_roi=mean(3, 4),
        mean_velocity=mean(5, 6),
        mean_confidence=mean(7, 2),
    )
