"""Schedules and their slots in PostgreSQL."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    RowMapping,
    delete,
    func,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from services.autosourcing.domain.calendar import Slot
from services.autosourcing.domain.schedule import (
    AGAIN,
    DecidedSlot,
    Decision,
    Schedule,
    SlotOutcome,
    next_look,
)
from services.autosourcing.ports import NewestPlace, Page
from services.autosourcing.storage import rows, tables
from services.autosourcing.storage.documents import raw, rebuilt
from services.autosourcing.storage.work import Announce, PostgresWork
from services.chassis import sql
from services.chassis.reading import readable


class PostgresRotaWork(PostgresWork):
    """Implements ``ports.RotaWork`` on a connection inside a transaction."""

    async def add_schedule(self, schedule: Schedule) -> None:
        """Insert a schedule."""
        row = {"id": schedule.id, "created_at": schedule.created_at, **_columns(schedule)}
        await self._connection.execute(insert(tables.schedules).values(row))

    async def lock_schedule(self, schedule_id: UUID) -> Schedule | None:
        """Read a schedule for update."""
        table = tables.schedules
        query = select(table.c.document).where(table.c.id == schedule_id).with_for_update()
        found: Schedule | None = await self._connection.scalar(query)
        return found

    async def save_schedule(self, schedule: Schedule) -> None:
        """Write a schedule."""
        table = tables.schedules
        await self._connection.execute(
            update(table).where(table.c.id == schedule.id).values(_columns(schedule))
        )

    async def remove_schedule(self, schedule_id: UUID) -> None:
        """Delete a schedule; the database deletes its slots."""
        table = tables.schedules
        await self._connection.execute(delete(table).where(table.c.id == schedule_id))

    async def due_schedule(self) -> Schedule | None:
        """Lock a due row that nobody else is locking; one that cannot be read is put off."""
        table = tables.schedules
        query = (
            select(table.c.id, raw(table.c.document))
            .where(table.c.look_at <= func.now())
            .order_by(table.c.look_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        while (row := (await self._connection.execute(query)).one_or_none()) is not None:
            found = readable(f"schedules/{row.id}", _schedule, row.document)
            if found is not None:
                return found
            later = update(table).where(table.c.id == row.id)
            await self._connection.execute(later.values(look_at=func.now() + AGAIN))
        return None

    async def schedule_of(self, profile_id: str) -> UUID | None:
        """Look the profile up in the specs."""
        table = tables.schedules
        named = func.jsonb_extract_path_text(table.c.document, "spec", "profile") == profile_id
        found: UUID | None = await self._connection.scalar(
            select(table.c.id).where(named).order_by(table.c.created_at).limit(1)
        )
        return found

    async def add_slots(
        self, schedule_id: UUID, decisions: Iterable[Decision], now: datetime
    ) -> None:
        """Insert the slots; the key makes each one only once."""
        found = [_slot_columns(schedule_id, decision, now) for decision in decisions]
        if found:
            await self._connection.execute(insert(tables.slots).on_conflict_do_nothing(), found)

    async def claim_slots(self, *, lease: timedelta, most: int) -> list[DecidedSlot]:
        """Lock due rows that nobody else is locking, and move their instant."""
        table = tables.slots
        key = tuple_(table.c.schedule_id, table.c.date, table.c.hour)
        due = (
            select(table.c.schedule_id, table.c.date, table.c.hour)
            .where(table.c.attend_at <= func.clock_timestamp())
            .order_by(table.c.attend_at)
            .limit(most)
            .with_for_update(skip_locked=True)
            .cte("due")  # Run once; the planner may run a subquery again and claim more.
        )
        leased = update(table).where(key.in_(select(due)))
        claimed = await self._connection.execute(
            leased.values(attend_at=func.clock_timestamp() + lease).returning(*table.c)
        )
        return [_slot(row) for row in claimed.mappings()]

    async def postpone_slot(self, slot: DecidedSlot, at: datetime) -> None:
        """Move the instant, and keep what was in the way."""
        await self._change(slot, attend_at=at, reason=slot.decision.reason)

    async def settle_slot(self, slot: DecidedSlot) -> None:
        """Write the outcome."""
        await self._change(
            slot,
            attend_at=None,
            outcome=slot.decision.outcome.value,
            reason=slot.decision.reason,
            job_id=slot.job_id,
            decided_at=slot.decided_at,
        )

    async def _change(self, slot: DecidedSlot, **values: object) -> None:
        table, place = tables.slots, slot.decision.slot
        await self._connection.execute(
            update(table)
            .where(
                table.c.schedule_id == slot.schedule_id,
                table.c.date == place.date,
                table.c.hour == place.hour,
                table.c.outcome == SlotOutcome.STARTING.value,
            )
            .values(values)
        )


class PostgresRota:
    """Implements ``ports.Rota``."""

    def __init__(self, engine: AsyncEngine, announce: Announce) -> None:
        self._engine = engine
        self._announce = announce

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresRotaWork]:
        """Begin a transaction of its own."""
        async with sql.transaction(self._engine) as connection:
            yield PostgresRotaWork(connection, self._announce)

    async def schedule(
        self, schedule_id: UUID, slots: int
    ) -> tuple[Schedule, list[DecidedSlot]] | None:
        """Read a schedule and its newest slots."""
        table, places = tables.schedules, tables.slots
        newest = (
            select(places)
            .where(places.c.schedule_id == schedule_id, places.c.attend_at.is_(None))
            .order_by(places.c.slot_at.desc(), places.c.date.desc(), places.c.hour.desc())
            .limit(slots)
        )
        async with self._engine.connect() as connection:
            found: Schedule | None = await connection.scalar(
                select(table.c.document).where(table.c.id == schedule_id)
            )
            if found is None:
                return None
            decided = (await connection.execute(newest)).mappings()
            return found, [_slot(row) for row in decided]

    async def schedules(self, after: NewestPlace | None, size: int) -> Page[Schedule, NewestPlace]:
        """Page by creation and id."""
        table = tables.schedules
        query = select(table.c.id, table.c.created_at, raw(table.c.document))
        if after is not None:
            query = query.where(tuple_(table.c.created_at, table.c.id) < after)
        query = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(size + 1)
        async with self._engine.connect() as connection:
            found = (await connection.execute(query)).mappings().all()
        return rows.page(
            found,
            size,
            "schedules",
            lambda row: _schedule(row["document"]),
            rows.newest_place,
        )

    async def next_due(self) -> timedelta | None:
        """Measure by the database's clock."""
        looks = select(func.min(tables.schedules.c.look_at).label("at"))
        tries = select(func.min(tables.slots.c.attend_at).label("at"))
        both = union_all(looks, tries).subquery()
        query = select(func.min(both.c.at) - func.clock_timestamp())
        async with self._engine.connect() as connection:
            found: timedelta | None = await connection.scalar(query)
        return found


def _schedule(document: object) -> Schedule:
    return rebuilt(Schedule, document)


def _columns(schedule: Schedule) -> dict[str, object]:
    return {"look_at": next_look(schedule), "document": schedule}


def _slot_columns(schedule_id: UUID, decision: Decision, now: datetime) -> dict[str, object]:
    starting = decision.outcome is SlotOutcome.STARTING
    return {
        "schedule_id": schedule_id,
        "date": decision.slot.date,
        "hour": decision.slot.hour,
        "slot_at": decision.slot.at,
        "exists": decision.slot.exists,
        "outcome": decision.outcome.value,
        "reason": decision.reason,
        "decided_at": now,
        "attend_at": now if starting else None,
    }


def _slot(row: RowMapping) -> DecidedSlot:
    place = Slot(row["date"], row["hour"], row["slot_at"], exists=row["exists"])
    decision = Decision(place, SlotOutcome(row["outcome"]), row["reason"])
    return DecidedSlot(row["schedule_id"], decision, row["decided_at"], row["job_id"])
