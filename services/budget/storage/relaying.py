"""The ledger as a relay reads it: entries after a cursor of its own, in order, at least once."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from services.budget.domain.entries import Entry, Fact, Held
from services.budget.domain.refusals import UnreadableEntryError
from services.budget.domain.reservation import Reservation
from services.budget.domain.state import State
from services.budget.storage import rows
from services.budget.storage.ledger import CHANNEL, PostgresLedger
from services.chassis import telemetry
from services.chassis.events.publisher import Outgoing

_log = telemetry.get_logger(__name__)
BALANCE_EVERY = timedelta(seconds=1)  # BalanceChanged is sent no more often.
Look = Callable[[str], Awaitable[tuple[State, datetime]]]
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_CURSORS = """
select a.name, coalesce(c.sequence, 0) as sequence, clock_timestamp() as now,
    coalesce(c.announced_sequence, 0) as announced, c.announced_at,
    (select max(sequence) from budget.ledger l where l.account = a.name) as newest
from budget.accounts a left join budget.relay_cursors c on c.account = a.name order by a.name
"""
_ENTRIES = f"""
select {rows.SELECT} from budget.ledger
where account = $1 and sequence > $2 and sequence <= $3 and kind = any($4::text[])
    and kind <> 'HELD'
order by sequence limit $5
"""  # noqa: S608 - only column names are put in
_MOVE = """
insert into budget.relay_cursors (account, sequence, announced_sequence, announced_at)
values ($1, $2, $3, $4)
on conflict (account) do update set sequence = excluded.sequence,
    announced_sequence = excluded.announced_sequence, announced_at = excluded.announced_at
"""


class Announces(Protocol):
    """What turns entries into events."""

    kinds: Collection[type[Fact]]
    """The facts that tell others anything."""

    def event(self, account: str, entry: Entry, reservation: Reservation | None) -> Outgoing:
        """Give what an entry tells, with its reservation as the entry left it."""
        ...

    def balance(self, state: State, now: datetime) -> Outgoing:
        """Give the newest state of an account."""
        ...


@dataclass(frozen=True, slots=True)
class _Step:
    """How far a batch brings one account."""

    sequence: int
    announced: int
    announced_at: datetime


class LedgerSource:
    """Implements the relay's ``Source`` over the ledger.

    It reads the entries that tell something, and folds only the reservations they end: no
    state of its own, so that one which takes over has nothing to catch up with.

    Args:
        look: Tells an account's newest state, and when that was.
    """

    channel = CHANNEL

    def __init__(self, ledger: PostgresLedger, announcer: Announces, look: Look) -> None:
        self._ledger = ledger
        self._announcer = announcer
        self._look = look
        assert Held not in announcer.kinds, "their kind has no index"
        self._kinds = [rows.NAMES[kind] for kind in announcer.kinds]
        self._steps: dict[str, _Step] = {}
        self._unreadable: set[str] = set()

    async def pending(self, connection: AsyncConnection, limit: int) -> Sequence[Outgoing]:
        """Read on from each account's cursor; entries that tell nothing are passed at once."""
        raw = await _driver(connection)
        self._steps = {}
        batch: list[Outgoing] = []
        for cursor in await raw.fetch(_CURSORS):
            seen = min(cursor["sequence"], cursor["announced"])
            if (cursor["newest"] or 0) > seen and len(batch) < limit:
                batch += await self._readable(raw, cursor, limit - len(batch))
        if not batch:
            await self._move(connection)
        return batch

    async def mark_sent(self, connection: AsyncConnection, batch: Sequence[Outgoing]) -> None:
        """Move the cursors over everything the batch came from."""
        assert batch
        await self._move(connection)

    async def purge(self, connection: AsyncConnection) -> int:  # noqa: ARG002 - as the relay asks
        """Forget nothing: the ledger is kept."""
        return 0

    async def _readable(self, raw: Any, cursor: Any, limit: int) -> list[Outgoing]:
        """Read one account; the events of one that cannot be read wait, and hold up no other's."""
        account = cursor["name"]
        try:
            events = await self._read(raw, cursor, limit)
        except UnreadableEntryError as error:
            if account not in self._unreadable:
                _log.error("account cannot be read", account=account, error=str(error))
            self._unreadable.add(account)
            return []
        self._unreadable.discard(account)
        return events

    async def _read(self, raw: Any, cursor: Any, limit: int) -> list[Outgoing]:
        account, newest = cursor["name"], cursor["newest"]
        place = (account, cursor["sequence"], newest)
        entries = list(map(rows.entry, await raw.fetch(_ENTRIES, *place, self._kinds, limit)))
        ended = await self._ledger.left_by(entries)
        events = [
            self._announcer.event(account, entry, ended.get(entry.sequence)) for entry in entries
        ]
        reached = entries[-1].sequence if len(entries) == limit else newest
        announced, at = cursor["announced"], cursor["announced_at"] or LONG_AGO
        late = cursor["now"] - at >= BALANCE_EVERY or at > cursor["now"]
        if reached == newest > announced and late:
            state, now = await self._look(account)
            events.append(self._announcer.balance(state, now))
            announced, at = max(newest, state.sequence), cursor["now"]
        self._steps[account] = _Step(reached, announced, at)
        return events

    async def _move(self, connection: AsyncConnection) -> None:
        raw = await _driver(connection)
        for account, step in self._steps.items():
            moved = (account, step.sequence, step.announced, step.announced_at)
            await raw.execute(_MOVE, *moved)
        self._steps = {}


async def _driver(connection: AsyncConnection) -> Any:
    """Return the driver's connection, inside the transaction that SQLAlchemy has begun."""
    await connection.exec_driver_sql("select 1")
    return (await connection.get_raw_connection()).driver_connection
