"""The record of every paid call, and the claims that keep two from asking the same."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Text, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import sql
from services.keepa_gateway.domain.attempt import Attempt, Intent, State
from services.keepa_gateway.domain.outcome import Outcome, Verdict
from services.keepa_gateway.ports import Harvest, Opened
from services.keepa_gateway.storage import rows
from services.keepa_gateway.storage.announcing import Announce
from services.keepa_gateway.storage.gate import PostgresGate
from services.keepa_gateway.storage.listings import keep_listing
from services.keepa_gateway.storage.snapshots import keep_snapshots
from services.keepa_gateway.storage.tables import attempt, claim

# Pauses between the tries to store an outcome: nine seconds in all.
PATIENCE_SECONDS = (0.2, 0.5, 1.0, 2.0, 2.0, 3.0)
# Rows locked at once by the reconciler.
BATCH = 200


class PostgresAttempts:
    """Implements ``ports.Attempts``.

    ``grace`` is what a living process needs at most, after a call's deadline, to store its outcome.
    """

    def __init__(
        self, engine: AsyncEngine, gate: PostgresGate, announce: Announce, *, grace: timedelta
    ) -> None:
        self._grace = grace
        self._engine = engine
        self._gate = gate
        self._announce = announce

    async def open(self, intent: Intent) -> Opened:
        """Store the intent first, then its claims.

        Keys are claimed in their order, so two that claim some of the same cannot deadlock; a
        claim that waits for the other's transaction sees it committed.
        """
        async with sql.transaction(self._engine) as connection:
            if not await self._insert(connection, intent):
                return Opened(gained=(), foreign=True)
            rows_of_claims = [
                {"key": key, "attempt_id": intent.attempt_id}
                for key in sorted(intent.keys.values())
            ]
            taken = insert(claim).values(rows_of_claims).on_conflict_do_nothing()
            gained = set(await connection.scalars(taken.returning(claim.c.key)))
            if not gained:
                fenced = {"state": State.FENCED, "subjects": [], "reason": "Claimed by others."}
                await self._change(connection, intent.attempt_id, fenced)
                return Opened(gained=())
            kept = tuple(subject for subject, key in intent.keys.items() if key in gained)
            if len(kept) < len(intent.keys):
                await self._change(connection, intent.attempt_id, {"subjects": list(kept)})
        return Opened(gained=kept)

    async def _change(
        self, connection: AsyncConnection, attempt_id: UUID, values: dict[str, Any]
    ) -> None:
        own = attempt.c.attempt_id == attempt_id
        await connection.execute(update(attempt).where(own).values(**values))

    async def _insert(self, connection: AsyncConnection, intent: Intent) -> bool:
        row = insert(attempt).values(
            attempt_id=intent.attempt_id,
            request_id=intent.request_id,
            number=intent.number,
            content=intent.content,
            endpoint=intent.endpoint,
            fingerprint=intent.fingerprint,
            subjects=list(intent.keys),
            found={},
            hold=intent.hold,
            bound=intent.bound,
            after_sequence=intent.after_sequence,
            state=State.SENT,
            reason="",
            started_at=func.clock_timestamp(),
            give_up_at=func.clock_timestamp() + intent.deadline + self._grace,
        )
        new = row.on_conflict_do_nothing().returning(attempt.c.attempt_id)
        return await connection.scalar(new) is not None

    async def shrink(self, attempt_id: UUID, subjects: Sequence[str], keys: Sequence[str]) -> None:
        """Change the intent and its claims in one transaction."""
        values: dict[str, Any] = {"subjects": list(subjects)}
        if not subjects:
            values |= {"state": State.FENCED, "reason": "Answered meanwhile."}
        async with sql.transaction(self._engine) as connection:
            await self._change(connection, attempt_id, values)
            given_up = (claim.c.attempt_id == attempt_id) & claim.c.key.not_in(list(keys))
            await connection.execute(delete(claim).where(given_up))

    async def close(self, attempt_id: UUID, outcome: Outcome, harvest: Harvest) -> Attempt:
        """Store an outcome; what was paid for outlasts a restart of the database."""
        for pause in PATIENCE_SECONDS:
            try:
                return await self._close(attempt_id, outcome, harvest)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                if not sql.unavailable(error):
                    raise
                await asyncio.sleep(pause)
        return await self._close(attempt_id, outcome, harvest)

    async def _close(self, attempt_id: UUID, outcome: Outcome, harvest: Harvest) -> Attempt:
        async with sql.transaction(self._engine) as connection:
            row = await self._end(connection, attempt_id, outcome, harvest)
            if row is None:
                return await self._one(connection, attempt_id)
            await keep_snapshots(connection, harvest.snapshots)
            if harvest.listing is not None:
                await keep_listing(connection, row["fingerprint"], harvest.listing, row["ended_at"])
            if outcome.verdict is not Verdict.UNKNOWN:
                await self._give_back(connection, attempt_id)
            await self._gate.apply(connection, outcome, trial=False)
            for fact in harvest.facts:
                await self._announce(connection, fact)
            return rows.attempt(row)

    async def _end(
        self, connection: AsyncConnection, attempt_id: UUID, outcome: Outcome, harvest: Harvest
    ) -> Any:
        """Store an outcome unless there is one; an outcome that came late beats "unknown"."""
        columns = attempt.c
        known = outcome.verdict is not Verdict.UNKNOWN
        replaceable = (columns.verdict == Verdict.UNKNOWN) & columns.settled_at.is_(None)
        still_open = columns.state == State.SENT
        ended = (
            update(attempt)
            .where(columns.attempt_id == attempt_id, still_open | (replaceable & known))
            .values(
                state=State.ENDED,
                verdict=outcome.verdict,
                consumed=outcome.consumed,
                observation=rows.observation(outcome.observation),
                reason=outcome.reason,
                error=rows.error(outcome.error),
                found={key: list(asins) for key, asins in (harvest.found or {}).items()},
                ended_at=func.clock_timestamp(),
            )
            .returning(attempt)
        )
        return (await connection.execute(ended)).mappings().one_or_none()

    async def mark_settled(self, attempt_id: UUID) -> None:
        """Note the settlement; a repeated one changes nothing."""
        async with sql.transaction(self._engine) as connection:
            await connection.execute(
                update(attempt)
                .where(attempt.c.attempt_id == attempt_id, attempt.c.settled_at.is_(None))
                .values(settled_at=func.clock_timestamp())
            )
            await self._give_back(connection, attempt_id)

    async def of_request(self, request_id: UUID) -> list[Attempt]:
        """Read the attempts of a request by its index."""
        query = select(attempt).where(attempt.c.request_id == request_id)
        return await self._all(query.order_by(attempt.c.number))

    async def claimed(self, keys: Sequence[str]) -> dict[str, Attempt]:
        """Read the claims and their attempts in one statement."""
        query = (
            select(claim.c.key, attempt)
            .join(attempt, attempt.c.attempt_id == claim.c.attempt_id)
            .where(claim.c.key == func.any(bindparam("keys", list(keys), type_=ARRAY(Text))))
        )
        async with self._engine.connect() as connection:
            found = (await connection.execute(query)).mappings().all()
        return {row["key"]: rows.attempt(row) for row in found}

    async def unsettled(self) -> list[Attempt]:
        """Read a batch of what budget may not know of."""
        columns = attempt.c
        query = select(attempt).where(columns.settled_at.is_(None), columns.state == State.ENDED)
        return await self._all(query.order_by(columns.started_at).limit(BATCH))

    async def give_up_lost(self) -> int:
        """Mark by the clock of the database, which no process can be ahead of."""
        lost = (
            update(attempt)
            .where(attempt.c.state == State.SENT, attempt.c.give_up_at < func.clock_timestamp())
            .values(
                state=State.ENDED,
                verdict=Verdict.UNKNOWN,
                reason="The process that sent it died before it stored an outcome.",
                ended_at=func.clock_timestamp(),
            )
        )
        async with sql.transaction(self._engine) as connection:
            return (await connection.execute(lost)).rowcount

    async def fence(self, attempt_id: UUID, hold: str) -> bool:
        """Take the place of the intent: its primary key lets only one of the two in."""
        fenced = insert(attempt).values(
            attempt_id=attempt_id,
            request_id=attempt_id,
            number=0,
            content="",
            endpoint="",
            fingerprint="",
            subjects=[],
            found={},
            hold=hold,
            bound=0,
            after_sequence=0,
            state=State.FENCED,
            reason="Reserved, and never sent.",
            started_at=func.clock_timestamp(),
            give_up_at=func.clock_timestamp(),
        )
        new = fenced.on_conflict_do_nothing().returning(attempt.c.attempt_id)
        async with sql.transaction(self._engine) as connection:
            if await connection.scalar(new) is not None:
                return True
            return (await self._one(connection, attempt_id)).state is State.FENCED

    async def purge(self) -> None:
        """Forget settled attempts after 30 days."""
        old = attempt.c.settled_at < func.now() - text("interval '30 days'")
        async with sql.transaction(self._engine) as connection:
            await connection.execute(delete(attempt).where(old))

    async def _give_back(self, connection: AsyncConnection, attempt_id: UUID) -> None:
        await connection.execute(delete(claim).where(claim.c.attempt_id == attempt_id))

    async def _one(self, connection: AsyncConnection, attempt_id: UUID) -> Attempt:
        query = select(attempt).where(attempt.c.attempt_id == attempt_id)
        return rows.attempt((await connection.execute(query)).mappings().one())

    async def _all(self, query: Any) -> list[Attempt]:
        async with self._engine.connect() as connection:
            found = (await connection.execute(query)).mappings().all()
        return [rows.attempt(row) for row in found]
