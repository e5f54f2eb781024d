"""One transaction on the jobs, and everything that may be changed in it."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.autosourcing.domain.course import Change
from services.autosourcing.domain.job import Announcement, Job, State
from services.autosourcing.domain.picks import Outcome
from services.autosourcing.domain.spec import Profile
from services.autosourcing.ports import Abandoned, Request, SavedPick
from services.autosourcing.storage import rows, tables
from services.autosourcing.storage.changes import CHANNEL
from services.chassis import sql
from services.chassis.events import outbox

Announce = Callable[[Job, Announcement, datetime], tuple[Message, UUID | None]]
"""Turns what happened to a job into an event, and the event's id where it has a fixed one."""

_ANALYZED = (Outcome.PICKED, Outcome.PASSED_OVER, Outcome.NOT_FOUND)


class PostgresWork:
    """Implements ``ports.Work`` on a connection inside a transaction."""

    def __init__(self, connection: AsyncConnection, announce: Announce) -> None:
        self._connection = connection
        self._announce = announce

    async def now(self) -> datetime:
        """Read the database's clock."""
        return await sql.database_now(self._connection)

    async def request(self, request_id: UUID) -> tuple[Request, bytes] | None:
        """Read a remembered request."""
        table = tables.requests
        found = await self._connection.execute(select(table).where(table.c.id == request_id))
        row = found.mappings().one_or_none()
        return (Request(row["id"], row["fingerprint"]), row["answer"]) if row else None

    async def remember(self, request: Request, answer: bytes) -> bool:
        """Bind a request; a racing transaction with the same id waits here for this one."""
        row = {"id": request.id, "fingerprint": request.fingerprint, "answer": answer}
        bound = insert(tables.requests).values(row).on_conflict_do_nothing()
        done = await self._connection.execute(bound.returning(tables.requests.c.id))
        return done.one_or_none() is not None

    async def add(self, job: Job, request_id: UUID, *, attend_at: datetime | None) -> Job:
        """Insert the job and its first moment."""
        job = replace(job, sequence=1)
        row = {
            "id": job.id,
            "request_id": request_id,
            "created_at": job.created_at,
            "attend_at": attend_at,
            **rows.job_columns(job),
        }
        await self._connection.execute(insert(tables.jobs).values(row))
        await self._record(job, job.created_at)
        return job

    async def lock(self, job_id: UUID) -> Job | None:
        """Read the job for update."""
        query = select(tables.jobs.c.document).where(tables.jobs.c.id == job_id)
        job: Job | None = await self._connection.scalar(query.with_for_update())
        return job

    async def save(self, change: Change, *, attend_at: datetime | None) -> Job:
        """Store everything of a change; the events leave through the outbox."""
        now = await self.now()
        job = replace(change.job, sequence=change.job.sequence + 1)
        table = tables.jobs
        kept = update(table).where(table.c.id == job.id, table.c.sequence == change.job.sequence)
        done = await self._connection.execute(
            kept.values(attend_at=attend_at, **rows.job_columns(job)).returning(table.c.id)
        )
        done.one()
        await self._record(job, now)
        await self._save_found(change, job, now)
        for announcement in change.announcements:
            event, event_id = self._announce(job, announcement, now)
            await outbox.put(self._connection, tables.outbox, event, event_id=event_id)
        return job

    async def update(self, job: Job) -> None:
        """Store the job's document alone."""
        table = tables.jobs
        await self._connection.execute(
            update(table).where(table.c.id == job.id).values(rows.job_columns(job))
        )

    async def attend(self, job_id: UUID, at: datetime | None) -> None:
        """Set the instant."""
        table = tables.jobs
        await self._connection.execute(
            update(table).where(table.c.id == job_id).values(attend_at=at)
        )

    async def withdraw(self, job_id: UUID) -> None:
        """Delete the job with its moments, and unbind its request."""
        table = tables.jobs
        gone = delete(table).where(table.c.id == job_id, table.c.state == "PENDING")
        request_id = await self._connection.scalar(gone.returning(table.c.request_id))
        if request_id is not None:
            await self._connection.execute(
                delete(tables.requests).where(tables.requests.c.id == request_id)
            )

    async def abandon(self, job_id: UUID, attempt: int) -> None:
        """Insert the envelope, to be given back at once."""
        row = {"job_id": job_id, "attempt": attempt}
        await self._connection.execute(
            insert(tables.abandoned).values(row).on_conflict_do_nothing()
        )

    async def abandoned(self, job_id: UUID) -> int:
        """Look the job's attempts up."""
        table = tables.abandoned
        query = select(func.coalesce(func.max(table.c.attempt), 0)).where(table.c.job_id == job_id)
        return int(await self._connection.scalar(query) or 0)

    async def claim_abandoned(self, *, lease: timedelta, most: int) -> list[Abandoned]:
        """Lock due rows that nobody else is locking, and move their instant."""
        table = tables.abandoned
        due = (
            select(table.c.job_id, table.c.attempt)
            .where(table.c.attend_at <= func.clock_timestamp())
            .order_by(table.c.attend_at)
            .limit(most)
            .with_for_update(skip_locked=True)
            .cte("due")  # Run once; the planner may run a subquery again and claim more.
        )
        leased = update(table).where(tuple_(table.c.job_id, table.c.attempt).in_(select(due)))
        claimed = await self._connection.execute(
            leased.values(attend_at=func.clock_timestamp() + lease).returning(
                table.c.job_id, table.c.attempt, table.c.since
            )
        )
        return [Abandoned(**row) for row in claimed.mappings()]

    async def settle_abandoned(self, envelope: Abandoned) -> None:
        """Delete the row."""
        table = tables.abandoned
        await self._connection.execute(
            delete(table).where(
                table.c.job_id == envelope.job_id, table.c.attempt == envelope.attempt
            )
        )

    async def claim(self, *, lease: timedelta, most: int, pending: bool) -> list[UUID]:
        """Lock due rows that nobody else is locking, and move their instant."""
        if most <= 0:
            return []
        table = tables.jobs
        waits = table.c.state == State.PENDING.value
        due = (
            select(table.c.id)
            .where(table.c.attend_at <= func.clock_timestamp(), waits if pending else ~waits)
            .order_by(table.c.attend_at)
            .limit(most)
            .with_for_update(skip_locked=True)
            .cte("due")  # Run once; the planner may run a subquery again and claim more.
        )
        leased = update(table).where(table.c.id.in_(select(due.c.id)))
        claimed = await self._connection.scalars(
            leased.values(attend_at=func.clock_timestamp() + lease).returning(table.c.id)
        )
        return list(claimed)

    async def recent(self, domain: str, asins: Collection[str], since: datetime) -> frozenset[str]:
        """Look the ASINs up."""
        table = tables.seen_products
        query = select(table.c.asin).where(
            table.c.domain == domain,
            table.c.asin == func.any(list(asins)),
            table.c.analyzed_at > since,
        )
        return frozenset(await self._connection.scalars(query))

    async def profile(self, profile_id: str) -> Profile | None:
        """Read a profile."""
        query = select(tables.profiles.c.document).where(tables.profiles.c.id == profile_id)
        profile: Profile | None = await self._connection.scalar(query)
        return profile

    async def lock_profile(self, profile_id: str) -> Profile | None:
        """Read a profile for update."""
        table = tables.profiles
        query = select(table.c.document).where(table.c.id == profile_id).with_for_update()
        profile: Profile | None = await self._connection.scalar(query)
        return profile

    async def add_profile(self, profile: Profile) -> bool:
        """Insert a profile; one of the same id that is being added is waited for."""
        row = {"id": profile.id, "document": profile}
        added = insert(tables.profiles).values(row).on_conflict_do_nothing()
        done = await self._connection.execute(added.returning(tables.profiles.c.id))
        return done.one_or_none() is not None

    async def save_profile(self, profile: Profile) -> None:
        """Write a profile."""
        table = tables.profiles
        await self._connection.execute(
            update(table).where(table.c.id == profile.id).values(document=profile)
        )

    async def remove_profile(self, profile_id: str) -> None:
        """Delete a profile."""
        await self._connection.execute(
            delete(tables.profiles).where(tables.profiles.c.id == profile_id)
        )

    async def lock_pick(self, pick_id: UUID) -> SavedPick | None:
        """Read a pick for update."""
        query = select(tables.picks).where(tables.picks.c.id == pick_id).with_for_update()
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return rows.saved_pick(row) if row else None

    async def save_pick(self, pick: SavedPick) -> None:
        """Write what the reseller decided."""
        table = tables.picks
        await self._connection.execute(
            update(table)
            .where(table.c.id == pick.pick.id)
            .values(
                action=pick.action.value,
                notes=pick.notes,
                revision=pick.revision,
                updated_at=pick.updated_at,
            )
        )

    async def _record(self, job: Job, now: datetime) -> None:
        """Keep the moment, and wake whoever watches when the transaction commits."""
        row = {"job_id": job.id, "sequence": job.sequence, "changed_at": now, "document": job}
        await self._connection.execute(insert(tables.moments).values(row))
        await self._connection.execute(text("select pg_notify(:name, '')"), {"name": CHANNEL})

    async def _save_found(self, change: Change, job: Job, now: datetime) -> None:
        picks = [rows.pick_columns(pick, job.sequence, now) for pick in change.picks]
        if picks:
            await self._connection.execute(insert(tables.picks).on_conflict_do_nothing(), picks)
        products = [
            rows.product_columns(job.id, product, job.sequence, position)
            for position, product in enumerate(change.products)
        ]
        if products:
            await self._connection.execute(
                insert(tables.products).on_conflict_do_nothing(), products
            )
        await self._save_seen(change, job, now)

    async def _save_seen(self, change: Change, job: Job, now: datetime) -> None:
        criteria = job.plan.spec.criteria
        assert criteria is not None
        seen = [
            {
                "domain": criteria.domain,
                "asin": product.asin,
                "job_id": job.id,
                "analyzed_at": now,
            }
            for product in sorted(change.products, key=lambda product: product.asin)
            if product.outcome in _ANALYZED
        ]
        if seen:
            fresh = insert(tables.seen_products)
            columns = {"job_id": fresh.excluded.job_id, "analyzed_at": fresh.excluded.analyzed_at}
            await self._connection.execute(
                fresh.on_conflict_do_update(index_elements=["domain", "asin"], set_=columns), seen
            )


class PostgresJobs:
    """Implements ``ports.Jobs``."""

    def __init__(self, engine: AsyncEngine, announce: Announce) -> None:
        self._engine = engine
        self._announce = announce

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresWork]:
        """Begin a transaction of its own."""
        async with sql.transaction(self._engine) as connection:
            yield self.joined(connection)

    def joined(self, connection: AsyncConnection) -> PostgresWork:
        """Work inside a transaction that somebody else began."""
        return PostgresWork(connection, self._announce)

    async def next_attention(self) -> timedelta | None:
        """Measure by the database's clock."""
        query = select(func.min(tables.jobs.c.attend_at) - func.clock_timestamp())
        async with self._engine.connect() as connection:
            found: timedelta | None = await connection.scalar(query)
        return found
