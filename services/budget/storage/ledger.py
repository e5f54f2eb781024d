"""The ledgers in PostgreSQL: one short transaction for each batch, under the account's lock."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import exc

from services.budget.domain import refusals
from services.budget.domain.audit import Audit, Auditor
from services.budget.domain.entries import Entry
from services.budget.domain.evolve import forget, replay
from services.budget.domain.refusals import UnreadableEntryError
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import Rules
from services.budget.domain.state import State
from services.budget.ports import Batch, Conflict, Recalled
from services.budget.storage import past, rows, snapshots
from services.chassis import sql, telemetry
from services.chassis.errors import Refusal

_log = telemetry.get_logger(__name__)
PAGE = 10_000
REPLAY_KEPT = 100_000  # Entries replayed between two snapshots of a replay.
CHANNEL = "budget_ledger"  # Of NOTIFY; rings when somebody has written.

_TAKE = "select * from budget.take($1, $2, $3)"
_RECALL = f"""{past.TOUCHED}
select account, {rows.SELECT} from budget.ledger
where reservation = any((select ids from touched)::uuid[])
union all
select account, {rows.SELECT} from budget.ledger
where parent = any((select ids from touched)::uuid[])
    and not reservation = any((select ids from touched)::uuid[])
order by account, sequence
"""  # noqa: S608 - only column names are put in
_PAGE = f"""
select {rows.SELECT} from budget.ledger where account = $1 and sequence > $2
order by sequence limit $3
"""  # noqa: S608 - only column names are put in
_NEWEST = "select coalesce(max(sequence), 0) as newest from budget.ledger where account = $1"
_KEPT = "select state from budget.snapshots where account = $1 and version = $2"
_KEEP = """
insert into budget.snapshots (account, sequence, version, state) values ($1, $2, $3, $4)
on conflict (account) do update set sequence = excluded.sequence, version = excluded.version,
    state = excluded.state
where snapshots.sequence < excluded.sequence or snapshots.version < excluded.version
"""
_RING = "select pg_notify($1, $2)"
_APPEND = f"select budget.append($1, $2, {rows.places(3)})"
_STORE = f"select budget.store($1, $2, $3, $4, $5, $6, {rows.places(7)})"
_CHECK = "select budget.store($1, $2, $3, $4, $5, $6)"


class PostgresTurn:
    """Implements ``ports.Turn`` on a connection whose transaction is open."""

    def __init__(self, connection: Any, account: str, taken: Sequence[Any]) -> None:
        self._connection = connection
        self._account = account
        clock, *read = taken
        self.now: datetime = clock["clock"]
        self.known_at: datetime | None = clock["at"]
        self.tail = [rows.entry(row) for row in read if row["tail"]]
        told, bound = past.retell(rows.entry(row) for row in read if not row["tail"])
        self.recalled = Recalled(list(told.values()), bound)

    async def append(self, entries: Sequence[Entry]) -> None:
        """Insert all entries by one statement, and let the other replicas know."""
        if entries:
            await self._connection.execute(_RING, CHANNEL, self._account)
            place = (self._account, entries[0].sequence - 1)
            await self._connection.execute(_APPEND, *place, *rows.columns(entries))

    async def keep(self, state: State) -> None:
        """Replace the account's snapshot."""
        await self._connection.execute(_KEEP, *_kept(state))


class PostgresLedger:
    """Implements the writing half of ``ports.Ledger``, and ``ports.Shortcut``."""

    def __init__(self, driver: sql.Driver) -> None:
        self._driver = driver

    @asynccontextmanager
    async def turn(
        self, account: str, after: int, ids: Collection[UUID]
    ) -> AsyncIterator[PostgresTurn]:
        """Lock the account's row first, then read: whoever held it before has committed."""
        async with self._raw() as connection, connection.transaction():
            taken = await connection.fetch(_TAKE, account, after, list(ids))
            if not taken:
                raise refusals.account_not_found(account)
            yield PostgresTurn(connection, account, taken)

    async def store(self, account: str, batch: Batch) -> datetime | None:
        """Compare and insert in one round trip."""
        claims = (batch.decided_at, batch.tolerance, list(batch.strange), batch.ring)
        statement, columns = _CHECK, tuple[Any, ...]()
        if batch.entries:
            assert batch.entries[0].sequence == batch.after + 1
            statement, columns = _STORE, rows.columns(batch.entries)
        async with self._raw() as connection:
            given = (account, batch.after, *claims, *columns)
            clock: datetime | None = await connection.fetchval(statement, *given)
        return clock

    async def keep(self, state: State) -> None:
        """Replace the account's snapshot by a newer one."""
        await self._fetch(_KEEP, *_kept(state))

    async def ring(self, account: str) -> None:
        """Notify in a transaction of its own."""
        await self._fetch(_RING, CHANNEL, account)

    async def load(self, account: str, rules: Rules) -> State:
        """Start from the snapshot and replay page by page.

        A long replay keeps what it has come to, so that one that is cut off need not begin anew.
        """
        state = State(account=account, rules=rules)
        for kept in await self._fetch(_KEPT, account, snapshots.VERSION):
            state = snapshots.decode(kept["state"], rules)
        kept_at = state.sequence
        while page := await self.page(account, state.sequence, PAGE):
            state = _folded(state, page)
            if state.sequence - kept_at >= REPLAY_KEPT:
                _log.info("ledger replayed so far", account=account, sequence=state.sequence)
                await self.keep(state)
                kept_at = state.sequence
        return state

    async def open_account(self, account: str) -> None:
        """Insert the account unless it exists."""
        await self._fetch(
            "insert into budget.accounts (name) values ($1) on conflict do nothing", account
        )

    async def accounts(self) -> Sequence[str]:
        """Read all names."""
        found = await self._fetch("select name from budget.accounts order by name")
        return [row["name"] for row in found]

    async def account_of(self, reservation: UUID) -> str | None:
        """Read it from any entry of the reservation."""
        found = await self._fetch(
            "select account from budget.ledger where reservation = $1 limit 1", reservation
        )
        return str(found[0]["account"]) if found else None

    async def newest(self, account: str) -> int:
        """Read it from the key."""
        (found,) = await self._fetch(_NEWEST, account)
        return int(found["newest"])

    async def page(self, account: str, after: int, limit: int) -> Sequence[Entry]:
        """Read a stretch of the ledger."""
        return [rows.entry(row) for row in await self._fetch(_PAGE, account, after, limit)]

    async def tell(self, ids: Sequence[UUID]) -> Sequence[Reservation]:
        """Retell reservations from their entries."""
        told, _ = past.retell(map(rows.entry, await self._fetch(_RECALL, list(ids))))
        return [told[each] for each in ids if each in told]

    async def left_by(self, entries: Sequence[Entry]) -> Mapping[int, Reservation]:
        """Tell by sequence how entries of one account left their reservations."""
        ids = {each.about.reservation for each in entries if each.about.reservation is not None}
        if not ids:
            return {}
        found = await self._fetch(_RECALL, list(ids))
        return past.left_by(map(rows.entry, found), {each.sequence for each in entries})

    async def _fetch(self, statement: str, *values: Any) -> Sequence[Any]:
        """Run one statement that may be repeated, and once more when its connection died."""
        try:
            async with self._raw() as connection:
                return list(await connection.fetch(statement, *values))
        except Refusal:
            async with self._raw() as connection:
                return list(await connection.fetch(statement, *values))

    @asynccontextmanager
    async def _raw(self) -> AsyncIterator[Any]:
        """Lend a driver connection."""
        with _translated():
            async with self._driver.lend() as connection:
                yield connection


def _kept(state: State) -> tuple[str, int, int, bytes]:
    return (state.account, state.sequence, snapshots.VERSION, snapshots.encode(state))


def _folded(state: State, page: Sequence[Entry]) -> State:
    """Fold a page into a state, or say which of its entries cannot be."""
    try:
        return forget(replay(state, page))
    except (AssertionError, KeyError) as error:  # As the audit tells it, with its place.
        auditor = Auditor(Audit(state))
        for entry in page:
            auditor.take(entry)
        found = auditor.audit.violations[-1]
        raise UnreadableEntryError(found.sequence, found.description) from error


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into what callers plan for."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise Conflict(str(error)) from error
    except (OSError, TimeoutError) as error:
        raise refusals.storage_unavailable() from error
    except asyncpg.InternalClientError as error:
        # The driver lost its place on a connection that died under it.
        raise refusals.storage_unavailable() from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, exc.SQLAlchemyError) as error:
        if sql.unavailable(error):
            raise refusals.storage_unavailable() from error
        raise
