"""The record of every payer's part in a call, and the claims that keep two from asking the same."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from asyncpg import InterfaceError, PostgresError
from sqlalchemy import (
    BigInteger,
    FromClause,
    Uuid,
    case,
    cast,
    column,
    delete,
    func,
    null,
    select,
    tuple_,
    update,
    values,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import purging, sql
from services.chassis.events import outbox
from services.keepa_gateway.domain.attempt import Attempt, Intent, State
from services.keepa_gateway.domain.outcome import Outcome, Verdict
from services.keepa_gateway.ports import Ending, Harvest, Opened, Sought
from services.keepa_gateway.storage import at_once, rows
from services.keepa_gateway.storage.announcing import Announce
from services.keepa_gateway.storage.at_once import Brought
from services.keepa_gateway.storage.gate import PostgresGate
from services.keepa_gateway.storage.listings import keep_listing
from services.keepa_gateway.storage.packing import compress
from services.keepa_gateway.storage.snapshots import keep_snapshots, packed_snapshots
from services.keepa_gateway.storage.tables import attempts, claims
from services.keepa_gateway.storage.tables import outbox as own_outbox

# Pauses between the tries to store an outcome: nine seconds in all.
PATIENCE_SECONDS = (0.2, 0.5, 1.0, 2.0, 2.0, 3.0)
# What is stored by one statement; more of it goes row by row, and holds up nobody on the way.
AT_ONCE_BYTES = 1 << 20
# Rows locked at once by the reconciler.
BATCH = 200
# How long a settled attempt answers for its request id.
KEPT_FOR = timedelta(days=30)
_CLAIMED = "select key, attempt_id from keepa_gateway.claims where key = any ($1)"
# A note that a crash of the database undoes is made again: not worth a wait for the disk.
_SETTLE = """
with unhurried as (select set_config('synchronous_commit', 'off', true) as commit), settled as (
    update keepa_gateway.attempts a set settled_at = clock_timestamp() from unhurried
    where a.attempt_id = any ($1) and a.settled_at is null and unhurried.commit = 'off'
        and (a.consumed is null or not $2)
    returning a.attempt_id
)
delete from keepa_gateway.claims c using settled where c.attempt_id = settled.attempt_id
"""


class PostgresAttempts:
    """Implements ``ports.Attempts``.

    ``grace`` is what a living process needs at most, after a call's deadline, to store its outcome.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        driver: sql.Driver,
        gate: PostgresGate,
        announce: Announce,
        *,
        grace: timedelta,
    ) -> None:
        self._grace = grace
        self._engine = engine
        self._driver = driver
        self._gate = gate
        self._announce = announce

    async def open(
        self, intents: Sequence[Intent], sought: Sought | None = None
    ) -> dict[UUID, Opened]:
        """Store all at once when no other call has anything of it, as is nearly always so."""
        opened: dict[UUID, Opened] | None = None
        if not any(intent.number for intent in intents):
            given = (intents, self._grace, sought)
            opened = await at_once.open_attempts(self._driver, *given)
        return await self._open(intents) if opened is None else opened

    async def _open(self, intents: Sequence[Intent]) -> dict[UUID, Opened]:
        """Store the intents first, then their claims.

        Both are written in the order of their keys, so two calls that have some in common cannot
        deadlock; what waits for the other's transaction sees it committed.
        """
        async with sql.transaction(self._engine) as connection:
            new = await self._insert(connection, intents)
            own = [intent for intent in intents if intent.attempt_id in new]
            gained = await self._gained(connection, own)
            gained -= await self._answered(connection, own)
            opened = {
                one.attempt_id: Opened(gained=(), foreign=True)
                for one in intents
                if one.attempt_id not in new
            }
            for intent in own:
                kept = tuple(
                    subject
                    for subject, key in intent.keys.items()
                    if (intent.attempt_id, key) in gained
                )
                opened[intent.attempt_id] = Opened(gained=kept)
                await self._keep(connection, intent, kept)
        return opened

    async def _keep(
        self, connection: AsyncConnection, intent: Intent, kept: tuple[str, ...]
    ) -> None:
        """Narrow an intent to what it gained; with nothing gained it is fenced."""
        if not kept:
            fenced = {"state": State.FENCED, "subjects": [], "reason": "Claimed by others."}
            await self._change(connection, intent.attempt_id, fenced)
        elif len(kept) < len(intent.keys):
            await self._change(connection, intent.attempt_id, {"subjects": list(kept)})

    async def _gained(
        self, connection: AsyncConnection, intents: Sequence[Intent]
    ) -> set[tuple[UUID, str]]:
        wanted = [
            {"key": key, "attempt_id": intent.attempt_id}
            for intent in intents
            for key in intent.keys.values()
        ]
        if not wanted:
            return set()
        ordered = sorted(wanted, key=lambda row: str(row["key"]))
        taken = insert(claims).values(ordered).on_conflict_do_nothing()
        rows_taken = await connection.execute(taken.returning(claims.c.attempt_id, claims.c.key))
        return {(row.attempt_id, row.key) for row in rows_taken}

    async def _answered(
        self, connection: AsyncConnection, intents: Sequence[Intent]
    ) -> set[tuple[UUID, str]]:
        """Give back claims of what an earlier call of the same request was answered.

        Its answer may be too old for the caller by now, but it is paid for: once in possession
        of the claims nobody else can be about to store another one.
        """
        again = [intent for intent in intents if intent.number > 0]
        if not again:
            return set()
        subject = func.unnest(attempts.c.subjects).column_valued("subject", joins_implicitly=True)
        query = select(attempts.c.request_id, subject).where(
            attempts.c.request_id.in_([intent.request_id for intent in again]),
            attempts.c.state == State.ENDED,
            attempts.c.verdict == Verdict.ANSWERED,
        )
        there = {(row[0], row[1]) for row in await connection.execute(query)}
        answered = {
            (intent.attempt_id, key)
            for intent in again
            for asked, key in intent.keys.items()
            if (intent.request_id, asked) in there
        }
        if answered:
            given_up = tuple_(claims.c.attempt_id, claims.c.key).in_(sorted(answered))
            await connection.execute(delete(claims).where(given_up))
        return answered

    async def _change(
        self, connection: AsyncConnection, attempt_id: UUID, changed: dict[str, Any]
    ) -> None:
        own = attempts.c.attempt_id == attempt_id
        await connection.execute(update(attempts).where(own).values(**changed))

    async def _insert(self, connection: AsyncConnection, intents: Sequence[Intent]) -> set[UUID]:
        """Insert what is not there yet, and return that."""
        ordered = sorted(intents, key=lambda one: one.attempt_id)
        new = insert(attempts).values([self._row(intent) for intent in ordered])
        stored = new.on_conflict_do_nothing().returning(attempts.c.attempt_id)
        return set(await connection.scalars(stored))

    def _row(self, intent: Intent) -> dict[str, Any]:
        return {
            "attempt_id": intent.attempt_id,
            "call_id": intent.call_id,
            "request_id": intent.request_id,
            "number": intent.number,
            "content": intent.content,
            "endpoint": intent.endpoint,
            "fingerprint": intent.fingerprint,
            "subjects": list(intent.keys),
            "found": {},
            "reservation": intent.reservation,
            "bound": intent.bound,
            "after_sequence": intent.after_sequence,
            "state": State.SENT,
            "reason": "",
            "started_at": func.clock_timestamp(),
            "give_up_at": func.clock_timestamp() + intent.deadline + self._grace,
        }

    async def shrink(self, attempt_id: UUID, subjects: Sequence[str], keys: Sequence[str]) -> None:
        """Change the intent and its claims in one transaction."""
        changed: dict[str, Any] = {"subjects": list(subjects)}
        if not subjects:
            changed |= {"state": State.FENCED, "reason": "Answered meanwhile."}
        async with sql.transaction(self._engine) as connection:
            await self._change(connection, attempt_id, changed)
            given_up = (claims.c.attempt_id == attempt_id) & claims.c.key.not_in(list(keys))
            await connection.execute(delete(claims).where(given_up))

    async def close(
        self, endings: Sequence[Ending], outcome: Outcome, harvest: Harvest
    ) -> dict[UUID, Attempt]:
        """Store an outcome; what was paid for outlasts a restart of the database."""
        brought = Brought(
            snapshots=await packed_snapshots(harvest.snapshots),
            listing=compress(harvest.listing) if harvest.listing is not None else None,
            came_at=harvest.came_at,
            events=[outbox.row(self._announce(fact)) for fact in harvest.facts],
        )
        for pause in PATIENCE_SECONDS:
            try:
                return await self._close(endings, outcome, brought)
            except (SQLAlchemyError, PostgresError, InterfaceError, OSError) as error:
                if not sql.unavailable(error):
                    raise
                await asyncio.sleep(pause)
        return await self._close(endings, outcome, brought)

    async def _close(
        self, endings: Sequence[Ending], outcome: Outcome, brought: Brought
    ) -> dict[UUID, Attempt]:
        """Store all at once unless it moves the state of the way out, or is a lot."""
        ended: Sequence[rows.Row] | None = None
        state = self._gate.unmoved(outcome)
        if state is not None and brought.bytes < AT_ONCE_BYTES:
            ended = await at_once.close_attempts(
                self._driver, endings, outcome, brought, account=self._gate.account, state=state
            )
        if ended is None:
            ended = await self._close_in_turn(endings, outcome, brought)
        there = {row["attempt_id"]: rows.attempt(row) for row in ended}
        for one in endings:
            if one.attempt_id not in there:
                there[one.attempt_id] = await self._one(one.attempt_id)
        return there

    async def _close_in_turn(
        self, endings: Sequence[Ending], outcome: Outcome, brought: Brought
    ) -> Sequence[rows.Row]:
        """Store step by step; the lock of the way out comes last, so that nobody waits for long."""
        async with self._gate.moving() as connection:
            ended = await self._end(connection, endings, outcome)
            if ended:
                await keep_snapshots(connection, brought.snapshots)
                if brought.listing is not None:
                    assert brought.came_at is not None, "who reaps a list says when it came"
                    await keep_listing(
                        connection, ended[0]["fingerprint"], brought.listing, brought.came_at
                    )
                await self._gate.apply(connection, outcome, trial=False)
                for event in brought.events:
                    await outbox.put_row(connection, own_outbox, event)
            return ended

    async def _end(
        self, connection: AsyncConnection, endings: Sequence[Ending], outcome: Outcome
    ) -> Sequence[Any]:
        """Store an outcome unless there is one, and give the claims back unless it is unknown.

        An outcome that came late beats "unknown".
        Even one that was settled by an estimate: what was paid for is kept, and budget is told
        the true cost, which replaces the estimate.
        """
        columns, part = attempts.c, _parts(endings)
        known = outcome.verdict is not Verdict.UNKNOWN
        replaceable = columns.verdict == Verdict.UNKNOWN
        still_open = columns.state == State.SENT
        stored = (
            update(attempts)
            .where(columns.attempt_id == part.c.attempt_id, still_open | (replaceable & known))
            .values(
                state=State.ENDED,
                verdict=outcome.verdict,
                consumed=cast(part.c.consumed, BigInteger),
                http_status=outcome.status,
                observation=rows.observation(outcome.observation),
                reason=outcome.reason,
                error=rows.error(outcome.error),
                found=part.c.found,
                ended_at=func.clock_timestamp(),
                settled_at=case((part.c.consumed.is_(None), columns.settled_at), else_=null()),
            )
            .returning(attempts)
            .cte("ended")
        )
        ended = select(stored)
        if known:
            given_back = delete(claims).where(claims.c.attempt_id.in_(select(stored.c.attempt_id)))
            ended = ended.add_cte(given_back.cte("given_back"))
        return list((await connection.execute(ended)).mappings())

    async def mark_settled(self, *attempt_ids: UUID) -> None:
        """Note the settlements; a repeated one changes nothing."""
        await self._settle(attempt_ids, only_unknown=False)

    async def mark_estimated(self, attempt_id: UUID) -> None:
        """Note it under the condition that no cost is known; a late answer may just be stored."""
        await self._settle([attempt_id], only_unknown=True)

    async def _settle(self, attempt_ids: Sequence[UUID], *, only_unknown: bool) -> None:
        """Note settlements and give the claims back, in one statement."""
        async with self._driver.lend() as connection:
            await connection.execute(_SETTLE, attempt_ids, only_unknown)

    async def of_request(self, request_id: UUID) -> list[Attempt]:
        """Read the attempts of a request by its index."""
        query = select(attempts).where(attempts.c.request_id == request_id)
        return await self._all(query.order_by(attempts.c.number))

    async def claimed(self, keys: Sequence[str]) -> dict[str, Attempt]:
        """Read the claims, and their attempts when there are any, which is seldom.

        What is settled in between has no claim any more, or had a claim when it was read.
        """
        async with self._driver.lend() as connection:
            found = await connection.fetch(_CLAIMED, keys)
        claims = {row["key"]: row["attempt_id"] for row in found}
        if not claims:
            return {}
        query = select(attempts).where(attempts.c.attempt_id.in_(set(claims.values())))
        there = {one.attempt_id: one for one in await self._all(query)}
        return {key: there[attempt_id] for key, attempt_id in claims.items()}

    async def unsettled(self) -> list[Attempt]:
        """Read a batch of what budget may not know of."""
        columns = attempts.c
        query = select(attempts).where(columns.settled_at.is_(None), columns.state == State.ENDED)
        return await self._all(query.order_by(columns.started_at).limit(BATCH))

    async def give_up_lost(self) -> int:
        """Mark by the clock of the database, which no process can be ahead of.

        Rows that a living process is ending at this moment are passed over.
        """
        late = (attempts.c.state == State.SENT) & (attempts.c.give_up_at < func.clock_timestamp())
        ids = select(attempts.c.attempt_id).where(late).with_for_update(skip_locked=True)
        lost = (
            update(attempts)
            .where(attempts.c.attempt_id.in_(ids), attempts.c.state == State.SENT)
            .values(
                state=State.ENDED,
                verdict=Verdict.UNKNOWN,
                reason="The process that sent it died before it stored an outcome.",
                ended_at=func.clock_timestamp(),
            )
        )
        async with sql.transaction(self._engine) as connection:
            return (await connection.execute(lost)).rowcount

    async def fence(self, attempt_id: UUID, reservation: str) -> bool:
        """Take the place of the intent: its primary key lets only one of the two in."""
        fenced = insert(attempts).values(
            attempt_id=attempt_id,
            request_id=attempt_id,
            number=0,
            content="",
            endpoint="",
            fingerprint="",
            subjects=[],
            found={},
            reservation=reservation,
            bound=0,
            after_sequence=0,
            state=State.FENCED,
            reason="Reserved, and never sent.",
            started_at=func.clock_timestamp(),
            give_up_at=func.clock_timestamp(),
        )
        new = fenced.on_conflict_do_nothing().returning(attempts.c.attempt_id)
        async with sql.transaction(self._engine) as connection:
            if await connection.scalar(new) is not None:
                return True
        return (await self._one(attempt_id)).state is State.FENCED

    async def purge(self) -> None:
        """Forget what was settled so long ago that nobody asks for it again.

        And what was never sent: its hold was given back, though a crash may have kept us from
        noting it.
        """
        old = purging.older(attempts, attempts.c.settled_at, KEPT_FOR)
        await purging.forget(self._engine, attempts, old)
        fenced = purging.older(attempts, attempts.c.started_at, KEPT_FOR).where(
            attempts.c.settled_at.is_(None), attempts.c.state == State.FENCED
        )
        await purging.forget(self._engine, attempts, fenced)

    async def _one(self, attempt_id: UUID) -> Attempt:
        (found,) = await self._all(select(attempts).where(attempts.c.attempt_id == attempt_id))
        return found

    async def _all(self, query: Any) -> list[Attempt]:
        async with sql.statement(self._engine) as connection:
            found = (await connection.execute(query)).mappings().all()
        return [rows.attempt(row) for row in found]


def _parts(endings: Sequence[Ending]) -> FromClause:
    """The parts of a call as rows that one statement can join."""
    columns = (column("attempt_id", Uuid), column("consumed", BigInteger), column("found", JSONB))
    listed = [
        (one.attempt_id, one.consumed, {key: list(asins) for key, asins in one.found.items()})
        for one in endings
    ]
    return values(*columns, name="part").data(listed)
