"""Scores: every one by its id, the fresh ones by their keys."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import CTE, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql
from services.chassis.reading import parted, readable
from services.discovery.domain.answers import Appraisal, Status, place, rung
from services.discovery.ports import Page, Place
from services.discovery.storage.documents import now_and
from services.discovery.storage.rulebook import REVISION_NOW
from services.discovery.storage.tables import score_cache, scores

LIFE = timedelta(hours=6)


class PostgresScores:
    """Implements ``ports.Scores``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def fresh(self, keys: Mapping[str, str]) -> dict[str, Appraisal]:
        """Read and count in one statement; what is read from here costs nothing."""
        locked = _in_order(keys)
        query = (
            update(score_cache)
            .where(
                score_cache.c.key == locked.c.key,
                score_cache.c.expires_at > func.clock_timestamp(),
                score_cache.c.revision == REVISION_NOW,
                scores.c.id == score_cache.c.score_id,
            )
            .values(hits=score_cache.c.hits + 1)
            .returning(scores.c.id, scores.c.content)
        )
        async with sql.statement(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        read, _ = parted([(score_name(row.id), row.content) for row in rows], _stored)
        found = {one.asin: one for one in read}
        return {asin: found[asin] for asin in keys if asin in found}

    async def last(self, keys: Mapping[str, str]) -> dict[str, Appraisal]:
        """Read and count in one statement, whatever has expired or was scored by older rules."""
        cache, locked = score_cache.c, _in_order(keys)
        valid = (cache.expires_at > func.clock_timestamp()) & (cache.revision == REVISION_NOW)
        query = (
            update(score_cache)
            .where(cache.key == locked.c.key, scores.c.id == cache.score_id)
            .values(hits=cache.hits + 1)
            .returning(scores.c.id, scores.c.content, valid.label("valid"))
        )
        async with sql.statement(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        found = [(readable(score_name(row.id), _stored, row.content), row.valid) for row in rows]
        return {
            one.asin: one if valid else replace(one, status=Status.STALE)
            for one, valid in found
            if one is not None
        }

    async def before(self, score_id: UUID) -> UUID | None:
        """Compare by the time of storing; ids tell scores of one instant apart."""
        this, older = scores.alias("this"), scores.c
        query = (
            select(older.id)
            .join(this, (older.asin == this.c.asin) & (older.domain == this.c.domain))
            .where(
                this.c.id == score_id,
                tuple_(older.created_at, older.id) < tuple_(this.c.created_at, this.c.id),
            )
            .order_by(older.created_at.desc(), older.id.desc())
            .limit(1)
        )
        async with sql.statement(self._engine) as connection:
            return await connection.scalar(query)

    async def newest(
        self, products: Collection[tuple[int, str]]
    ) -> dict[tuple[int, str], Appraisal]:
        """Read the newest score of each product that has one, whatever its terms."""
        columns = scores.c
        query = (
            select(columns.id, columns.domain, columns.asin, columns.content)
            .ext(distinct_on(columns.asin, columns.domain))
            .where(tuple_(columns.domain, columns.asin).in_(list(products)))
            .order_by(columns.asin, columns.domain, columns.created_at.desc())
        )
        async with sql.statement(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        read = {
            (row.domain, row.asin): readable(score_name(row.id), _stored, row.content)
            for row in rows
        }
        return {product: one for product, one in read.items() if one is not None}

    async def write(
        self, domain: int, keys: Mapping[str, str], appraisals: Collection[Appraisal]
    ) -> None:
        """Store scores and make them the fresh ones, in the order of their keys."""
        if not appraisals:
            return
        ordered = sorted(appraisals, key=lambda one: keys[one.asin])
        put = insert(score_cache).values([_cached(keys[one.asin], one) for one in ordered])
        kept = set(score_cache.c.keys()) - {"key", "asin", "hits"}
        put = put.on_conflict_do_update(
            index_elements=[score_cache.c.key],
            set_={name: put.excluded[name] for name in kept},
            where=score_cache.c.revision <= put.excluded.revision,
        )
        async with sql.transaction(self._engine) as connection:
            rows = [_row(domain, one) for one in ordered]
            await connection.execute(insert(scores).values(rows).on_conflict_do_nothing())
            await connection.execute(put)

    async def find(self, score_id: UUID) -> Appraisal | None:
        """Read one score, fresh or not."""
        query = select(scores.c.content).where(scores.c.id == score_id)
        async with sql.statement(self._engine) as connection:
            content = await connection.scalar(query)
        return None if content is None else read_score(content)

    async def page(self, asin: str, least_rung: int, *, size: int, after: Place) -> Page[Appraisal]:
        """Page by place and key, which no two rows share."""
        cache = score_cache.c
        query = (
            select(scores.c.id, scores.c.content, cache.place, cache.key)
            .join(score_cache, scores.c.id == cache.score_id)
            .where(cache.rung >= least_rung)
            .order_by(cache.place, cache.key)
            .limit(size + 1)
        )
        if asin:
            query = query.where(cache.asin == asin)
        if after is not None:
            query = query.where(tuple_(cache.place, cache.key) > after)
        async with sql.statement(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        more = (rows[size - 1].place, rows[size - 1].key) if len(rows) > size else None
        return _page(rows[:size], more)

    async def former(self, asin: str, *, size: int, after: Place) -> Page[Appraisal]:
        """Page backwards by the time of storing and by id, which no two rows share."""
        columns = scores.c
        query = select(columns.id, columns.content, columns.created_at)
        query = query.where(columns.asin == asin)
        query = query.order_by(columns.created_at.desc(), columns.id.desc()).limit(size + 1)
        if after is not None:
            place = (datetime.fromisoformat(after[0]), UUID(after[1]))
            query = query.where(tuple_(columns.created_at, columns.id) < place)
        async with sql.statement(self._engine) as connection:
            rows = (await connection.execute(query)).all()
        more = None
        if len(rows) > size:
            more = (rows[size - 1].created_at.isoformat(), str(rows[size - 1].id))
        return _page(rows[:size], more)


def _page(rows: Sequence[Any], more: Place) -> Page[Appraisal]:
    named = [(score_name(row.id), row.content) for row in rows]
    shown, unreadable = parted(named, read_score)
    return Page(shown, more, unreadable)


def score_name(score_id: UUID) -> str:
    """Name a score."""
    return f"scores/{score_id}"


def _in_order(keys: Mapping[str, str]) -> CTE:
    """Lock the rows in the order in which they are written, so that no two wait for each other."""
    key = score_cache.c.key
    asked = select(key).where(key.in_(list(keys.values()))).order_by(key)
    return asked.with_for_update().cte("locked")


def _stored(content: bytes) -> Appraisal:
    """Read a score from the cache: nobody pays for it again."""
    one = read_score(content)
    return replace(one, status=Status.CACHED, tokens=0, unsettled=0)


def read_score(content: bytes) -> Appraisal:
    """Read a score as it was kept.

    Raises:
        ValueError: It is damaged, or of a form that this version does not know.
    """
    return msgspec.json.decode(content, type=Appraisal)


def _row(domain: int, one: Appraisal) -> dict[str, Any]:
    return {
        "id": one.id,
        "asin": one.asin,
        "domain": domain,
        "content": msgspec.json.encode(one, order="deterministic"),
        "created_at": func.clock_timestamp(),
    }


def _cached(key: str, one: Appraisal) -> dict[str, Any]:
    assert one.score is not None
    life = timedelta(0) if one.status is Status.STALE else LIFE
    return {
        "key": key,
        "score_id": one.id,
        "asin": one.asin,
        "rung": rung(one.score.recommendation),
        "place": place(one),
        "hits": 0,
        "created_at": func.clock_timestamp(),
        "expires_at": now_and(life.total_seconds()),
        "revision": one.score.inputs.terms.rules.revision,
        "roi": one.score.known_roi,
        "velocity": None if one.score.demand is None else one.score.demand.velocity,
        "confidence": one.score.confidence,
    }
