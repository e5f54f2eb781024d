"""The state of the way out in two rows that all replicas share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import sql
from services.chassis.events import outbox
from services.keepa_gateway.domain.egress import Egress
from services.keepa_gateway.domain.outcome import Outcome, Verdict
from services.keepa_gateway.domain.pacing import Throttle
from services.keepa_gateway.ports import Counts
from services.keepa_gateway.storage import rows
from services.keepa_gateway.storage.announcing import Announce
from services.keepa_gateway.storage.tables import attempts, egress, snapshots, throttle
from services.keepa_gateway.storage.tables import outbox as own_outbox

_LOOK = """
select egress.*, throttle.full_at, clock_timestamp() as now
from keepa_gateway.egress join keepa_gateway.throttle using (account) where account = $1
"""
# What a crash of the database undoes of it are places of its last half second: not worth a wait
# for the disk.
_TAKE = f"""
with unhurried as (select set_config('synchronous_commit', 'off', true) as commit), taken as (
    update keepa_gateway.throttle set full_at = $3 from unhurried, keepa_gateway.egress
    where throttle.account = $1 and throttle.full_at = $2 and unhurried.commit = 'off'
        and egress.account = $1 and egress.quiet_until is not distinct from $4
        and {rows.stands(5)}
    returning true
)
select egress.*, throttle.full_at, clock_timestamp() as now, exists (select from taken) as taken
from keepa_gateway.egress join keepa_gateway.throttle using (account) where account = $1
"""  # noqa: S608 - only names of columns are put in
_LOOK_AGAIN = timedelta(0)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the rows held when this process looked last.

    Attributes:
        since: When the look began, on the monotonic clock: what happened later it may not tell.
        now: The instant by the clock that all replicas share, not later than ``at``.
        at: When the look was here, on the monotonic clock.
    """

    egress: Egress
    throttle: Throttle
    since: float
    now: datetime
    at: float

    @property
    def present(self) -> datetime:
        """The instant by the clock that all replicas share."""
        return self.now + timedelta(seconds=monotonic() - self.at)

    @property
    def open(self) -> bool:
        """Whether calls may leave now, as far as this tells."""
        now = self.present
        return self.egress.refusal(now) is None and not self.egress.quiet_for(now)


class PostgresGate:
    """Implements ``ports.Gate``; what changes the way out is decided under the row's lock.

    By memory alone nothing is taken: a statement insists on what is remembered.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        driver: sql.Driver,
        announce: Announce,
        *,
        account: str,
        tick: timedelta,
        per_minute: int,
        burst: int,
    ) -> None:
        self._engine = engine
        self._driver = driver
        self._seen: _Seen | None = None
        self._moves = 0  # Changes by this process, which a look that began before does not see.
        self._moving = set[AsyncConnection]()  # On these there are some that no look sees yet.
        self._announce = announce
        self.account = account
        self._tick = tick
        self._interval = timedelta(minutes=1) / per_minute
        self._burst = burst

    async def prepare(self) -> None:
        """Make the rows on the first start."""
        async with sql.transaction(self._engine) as connection:
            row = insert(egress).values(account=self.account).on_conflict_do_nothing()
            await connection.execute(row)
            full_at = func.clock_timestamp()
            place = insert(throttle).values(account=self.account, full_at=full_at)
            await connection.execute(place.on_conflict_do_nothing())

    async def read(self, *, within: timedelta = timedelta(0)) -> tuple[Egress, datetime]:
        """Read without a lock."""
        seen = self._seen
        if seen is None or monotonic() - seen.since >= within.total_seconds():
            seen = await self._look()
        return seen.egress, seen.present

    def unmoved(self, outcome: Outcome) -> Egress | None:
        """The state as it was seen last, when an outcome changes nothing of it but the sums."""
        seen = self._seen
        if seen is None or not seen.egress.unmoved_by(outcome, seen.present, self._tick):
            return None
        return seen.egress

    async def take_place(self, kept_back: int) -> timedelta | None:
        """Take if the way out and its places are as this process saw them last, and look with it.

        So that no lock is held on the way, and one statement is enough. Where many take at once
        the lock decides after all: it lets each of them in, in turn.
        """
        taken = await self._take(self._seen or await self._look(), kept_back)
        if isinstance(taken, timedelta):
            taken = await self._take(await self._look(), kept_back)
        elif not taken:
            taken = await self._take(self._seen or await self._look(), kept_back)
        if isinstance(taken, timedelta):
            return taken
        return None if taken else await self._take_in_turn(kept_back)

    async def _look(self) -> _Seen:
        began = self._moves, monotonic()
        async with self._driver.lend() as connection:
            (row,) = await connection.fetch(_LOOK, self.account)
        return self._saw(row, *began)

    async def _take(self, seen: _Seen, kept_back: int) -> bool | timedelta:
        """Take a place unless there is none, or something moved, as false says."""
        if not seen.open:
            return _LOOK_AGAIN
        taken = seen.throttle.take(seen.present, kept_back=kept_back)
        if isinstance(taken, timedelta):
            return taken
        # Whoever comes while the statement is under way takes the place after this one.
        self._seen, began = replace(seen, throttle=taken), (self._moves, monotonic())
        places = (seen.throttle.full_at, taken.full_at)
        known = (seen.egress.quiet_until, *rows.standing(seen.egress))
        async with self._driver.lend() as connection:
            (row,) = await connection.fetch(_TAKE, self.account, *places, *known)
        newest = self._seen.throttle if self._seen is not None else taken
        self._saw(row, *began)
        if row["taken"] and self._seen is not None:
            self._seen = replace(self._seen, throttle=newest)
        return bool(row["taken"])

    def _saw(self, row: rows.Row, moves: int, since: float) -> _Seen:
        """Remember a look, unless this process itself moved something that it may not tell of."""
        held = Throttle(full_at=row["full_at"], interval=self._interval, burst=self._burst)
        seen = _Seen(rows.egress(row), held, since, row["now"], monotonic())
        if moves == self._moves and not self._moving:
            self._seen = seen
        elif self._seen is not None:
            seen = replace(seen, egress=self._seen.egress)
        return seen

    async def _take_in_turn(self, kept_back: int) -> timedelta | None:
        """Take under the lock, and never sleep while holding it.

        The way out is looked at once the lock is there: who waits for it may wait for a while.
        """
        async with sql.transaction(self._engine) as connection:
            place = select(throttle.c.account).where(self._own(throttle))
            await connection.execute(place.with_for_update())
            began = self._moves, monotonic()
            found = await connection.exec_driver_sql(_LOOK, (self.account,))
            seen = self._saw(found.mappings().one(), *began)
            if not seen.open:
                return _LOOK_AGAIN
            taken = seen.throttle.take(seen.present, kept_back=kept_back)
            if isinstance(taken, timedelta):
                return taken
            changed = update(throttle).where(self._own(throttle)).values(full_at=taken.full_at)
            await connection.execute(changed)
        return None

    async def give_back_place(self) -> None:
        """Move the row back by one interval."""
        earlier = throttle.c.full_at - self._interval
        async with sql.transaction(self._engine) as connection:
            await connection.execute(
                update(throttle).where(self._own(throttle)).values(full_at=earlier)
            )

    async def record(self, outcome: Outcome, *, trial: bool) -> None:
        """Apply in a transaction of its own."""
        async with self.moving() as connection:
            await self.apply(connection, outcome, trial=trial)

    @asynccontextmanager
    async def moving(self) -> AsyncIterator[AsyncConnection]:
        """A transaction to ``apply`` an outcome in: no look tells of that before its end."""
        async with self._engine.connect() as connection:
            try:
                async with connection.begin():
                    yield connection
            finally:
                if connection in self._moving:
                    self._moving.remove(connection)
                    self._moves += 1

    async def apply(self, connection: AsyncConnection, outcome: Outcome, *, trial: bool) -> None:
        """Let an outcome change the state and the sums while the way out is ``moving``."""
        state, now = await self._locked(connection)
        after, facts = state.after(outcome, now, self._tick, trial=trial)
        spent = egress.c.spent + (outcome.consumed or 0)
        sent = egress.c.requests + int(outcome.verdict is not Verdict.UNSENT)
        await self._write(connection, after, spent=spent, requests=sent)
        for fact in facts:
            await outbox.put(connection, own_outbox, self._announce(fact))
        self._moving.add(connection)
        if self._seen is not None:  # Whoever asks here knows it at once.
            self._seen = replace(self._seen, egress=after)

    async def lift_rejection(self) -> None:
        """Clear the latch."""
        async with sql.transaction(self._engine) as connection:
            lifted = update(egress).where(self._own(egress)).values(rejected_at=None)
            await connection.execute(lifted)
        self._forget()

    async def hush(self, duration: timedelta) -> None:
        """Set by the database's clock."""
        until = func.clock_timestamp() + duration
        async with sql.transaction(self._engine) as connection:
            await connection.execute(
                update(egress).where(self._own(egress)).values(quiet_until=until)
            )
        self._forget()

    def _forget(self) -> None:
        self._seen = None
        self._moves += 1

    async def count_hits(self, hits: int, saved: int) -> None:
        """Add in one statement."""
        async with sql.transaction(self._engine) as connection:
            counted = {"hits": egress.c.hits + hits, "saved": egress.c.saved + saved}
            await connection.execute(update(egress).where(self._own(egress)).values(**counted))

    async def counts(self) -> Counts:
        """Count over all replicas."""
        open_attempts = attempts.c.settled_at.is_(None)
        async with self._engine.connect() as connection:
            sums = (await connection.execute(select(egress).where(self._own(egress)))).mappings()
            row = sums.one()
            calls = func.count(func.coalesce(attempts.c.call_id, attempts.c.attempt_id).distinct())
            pending = select(calls).where(open_attempts, attempts.c.state == "sent")
            unknown = select(calls).where(open_attempts, attempts.c.verdict == "unknown")
            products = select(func.count()).select_from(snapshots).where(snapshots.c.known)
            state, now = await self._throttle(connection)
            return Counts(
                pending=await connection.scalar(pending) or 0,
                unknown=await connection.scalar(unknown) or 0,
                requests=row["requests"],
                spent=row["spent"],
                products=await connection.scalar(products) or 0,
                hits=row["hits"],
                saved=row["saved"],
                places=state.places(now),
            )

    async def _throttle(self, connection: AsyncConnection) -> tuple[Throttle, datetime]:
        now = func.clock_timestamp().label("now")
        query = select(throttle.c.full_at, now).where(self._own(throttle))
        row = (await connection.execute(query)).one()
        return Throttle(full_at=row.full_at, interval=self._interval, burst=self._burst), row.now

    async def _locked(self, connection: AsyncConnection) -> tuple[Egress, datetime]:
        query = select(egress, func.clock_timestamp().label("now")).where(self._own(egress))
        row = (await connection.execute(query.with_for_update())).mappings().one()
        return rows.egress(row), row["now"]

    async def _write(self, connection: AsyncConnection, state: Egress, **more: Any) -> None:
        columns = {**rows.egress_columns(state), **more}
        await connection.execute(update(egress).where(self._own(egress)).values(**columns))

    def _own(self, table: Any) -> Any:
        return table.c.account == self.account
