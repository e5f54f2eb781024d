"""Steps of jobs: taken in with their event, leased to one worker, answered once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from google.protobuf.message import Message
from sqlalchemy import Row, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import sql
from services.chassis.events import outbox as outboxes
from services.chassis.rpc.call import Call, next_hop, working_for
from services.discovery.domain.steps import Step, StepAnswer, Task
from services.discovery.storage.documents import now_and, packed, unpacked
from services.discovery.storage.tables import outbox, steps

CHANNEL = "discovery_steps"


class PostgresIntake:
    """Implements ``ports.Intake`` inside the transaction of one event."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def accept(self, task: Task, event_id: UUID, traceparent: str) -> None:
        """Insert the step and wake a worker when the transaction commits."""
        row = {
            "step_id": task.step_id,
            "event_id": event_id,
            "task": packed(task),
            "traceparent": traceparent,
            "attempts": 0,
            "epoch": 0,
            "created_at": func.clock_timestamp(),
        }
        accepted = insert(steps).values(row).on_conflict_do_nothing()
        await self._connection.execute(accepted.returning(func.pg_notify(CHANNEL, "")))


class PostgresSteps:
    """Implements ``ports.Steps``; the answer leaves through the outbox."""

    def __init__(
        self, engine: AsyncEngine, bell: sql.Bell, announce: Callable[[Step, StepAnswer], Message]
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._announce = announce

    async def claim(self, *, duration: timedelta) -> Step | None:
        """Lease the oldest free step; locked rows are somebody else's, so they are skipped."""
        free = (
            select(steps.c.step_id)
            .where(
                steps.c.answered_at.is_(None),
                or_(
                    steps.c.leased_until.is_(None),
                    steps.c.leased_until < func.clock_timestamp(),
                ),
            )
            .order_by(steps.c.created_at)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        taken = (
            update(steps)
            .where(steps.c.step_id == free)
            .values(
                epoch=steps.c.epoch + 1,
                attempts=steps.c.attempts + 1,
                leased_until=now_and(duration.total_seconds()),
            )
            .returning(steps)
        )
        async with sql.transaction(self._engine) as connection:
            row = (await connection.execute(taken)).one_or_none()
        return None if row is None else _step(row)

    async def extend(self, step: Step, *, duration: timedelta) -> bool:
        """Prolong under the own epoch only."""
        kept = (
            update(steps)
            .where(*_mine(step))
            .values(leased_until=now_and(duration.total_seconds()))
            .returning(steps.c.step_id)
        )
        async with sql.transaction(self._engine) as connection:
            return await connection.scalar(kept) is not None

    async def finish(self, step: Step, answer: StepAnswer) -> bool:
        """Mark and announce together; the event's id follows from the step's."""
        done = (
            update(steps)
            .where(*_mine(step))
            .values(answered_at=func.clock_timestamp(), leased_until=None)
            .returning(steps.c.step_id)
        )
        call = Call(traceparent=next_hop(step.traceparent))
        with working_for(call):
            async with sql.transaction(self._engine) as connection:
                if await connection.scalar(done) is None:
                    return False
                event = self._announce(step, answer)
                event_id = uuid5(step.task.step_id, "answer")
                await outboxes.put(connection, outbox, event, event_id=event_id)
        return True

    async def now(self) -> datetime:
        """Read the database's clock."""
        async with sql.transaction(self._engine) as connection:
            now = await connection.scalar(text("select clock_timestamp()"))
        assert isinstance(now, datetime)
        return now

    async def wait(self, seconds: float) -> None:
        """Sleep until a new step is announced."""
        await self._bell.wait(seconds)


def _mine(step: Step) -> tuple[Any, ...]:
    mine = steps.c.step_id == step.task.step_id, steps.c.epoch == step.epoch
    return *mine, steps.c.answered_at.is_(None)


def _step(row: Row[Any]) -> Step:
    return Step(
        task=unpacked(row.task, Task),
        event_id=row.event_id,
        traceparent=row.traceparent,
        created_at=row.created_at,
        epoch=row.epoch,
        attempts=row.attempts,
    )
