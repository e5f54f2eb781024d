"""The ledger as a relay reads it: entries after a cursor of its own, in order, at least once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from services.budget.domain.entries import Entry
from services.budget.domain.evolve import evolve, forget
from services.budget.domain.rules import Rules
from services.budget.domain.state import State
from services.budget.ports import Ledger
from services.budget.storage import rows
from services.budget.storage.ledger import CHANNEL
from services.chassis.events.publisher import Outgoing

BALANCE_EVERY = timedelta(seconds=1)  # BalanceChanged is sent no more often.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_CURSORS = """
select a.name, coalesce(c.sequence, 0) as sequence, clock_timestamp() as now,
    coalesce(c.announced_sequence, 0) as announced, c.announced_at,
    (select max(sequence) from budget.ledger l where l.account = a.name) as newest
from budget.accounts a left join budget.relay_cursors c on c.account = a.name order by a.name
"""
_ENTRIES = f"""
select {rows.SELECT} from budget.ledger where account = $1 and sequence > $2
order by sequence limit $3
"""  # noqa: S608 - only column names are put in
_MOVE = """
insert into budget.relay_cursors (account, sequence, announced_sequence, announced_at)
values ($1, $2, $3, $4)
on conflict (account) do update set sequence = excluded.sequence,
    announced_sequence = excluded.announced_sequence, announced_at = excluded.announced_at
"""


class Announces(Protocol):
    """What turns entries into events."""

    def events(self, entry: Entry, state: State) -> Iterable[Outgoing]:
        """Give what an entry tells, with the state right after it."""
        ...

    def balance(self, state: State, now: datetime) -> Outgoing:
        """Give the newest state of an account."""
        ...


@dataclass(frozen=True, slots=True)
class _Step:
    """How far a batch brings one account."""

    state: State
    announced: int
    announced_at: datetime


class LedgerSource:
    """Implements the relay's ``Source`` over the ledger.

    The state that events carry is folded along; it is kept between batches, and moves on
    only when the broker has what was told of it.
    """

    channel = CHANNEL

    def __init__(self, ledger: Ledger, announcer: Announces, rules: Rules) -> None:
        self._ledger = ledger
        self._announcer = announcer
        self._rules = rules
        self._states: dict[str, State] = {}
        self._steps: dict[str, _Step] = {}

    async def pending(self, connection: AsyncConnection, limit: int) -> Sequence[Outgoing]:
        """Read on from each account's cursor; entries that tell nothing are passed at once."""
        raw = await _driver(connection)
        self._steps = {}
        batch: list[Outgoing] = []
        for cursor in await raw.fetch(_CURSORS):
            if (cursor["newest"] or 0) > cursor["announced"] and len(batch) < limit:
                batch += await self._read(raw, cursor, limit - len(batch))
        if not batch:
            await self._move(connection)
        return batch

    async def mark_sent(self, connection: AsyncConnection, batch: Sequence[Outgoing]) -> None:
        """Move the cursors over everything the batch came from."""
        assert batch
        await self._move(connection)

    async def purge(self, connection: AsyncConnection) -> None:
        """Forget nothing: the ledger is kept."""

    async def _read(self, raw: Any, cursor: Any, limit: int) -> list[Outgoing]:
        account, events = cursor["name"], list[Outgoing]()
        state = await self._state(account, cursor["sequence"])
        self._states[account] = state  # However often the broker makes us come back here.
        for row in await raw.fetch(_ENTRIES, account, state.sequence, limit):
            entry = rows.entry(row)
            state = evolve(state, entry)
            events += self._announcer.events(entry, state)
            state = forget(state)
        announced, at = cursor["announced"], cursor["announced_at"] or LONG_AGO
        late = cursor["now"] - at >= BALANCE_EVERY or at > cursor["now"]
        if state.sequence == cursor["newest"] and state.sequence > announced and late:
            events.append(self._announcer.balance(state, cursor["now"]))
            announced, at = state.sequence, cursor["now"]
        self._steps[account] = _Step(state, announced, at)
        return events

    async def _state(self, account: str, sequence: int) -> State:
        """Return the state at the cursor: the one kept, or a replay up to it."""
        kept = self._states.get(account)
        if kept is not None and kept.sequence == sequence:
            return kept
        state = State(account=account, rules=self._rules)
        loaded = await self._ledger.load(account, self._rules)
        if loaded.sequence == sequence:
            return loaded
        while state.sequence < sequence:
            page = await self._ledger.page(account, state.sequence, 5_000)
            for entry in page:
                if entry.sequence <= sequence:
                    state = forget(evolve(state, entry))
        return state

    async def _move(self, connection: AsyncConnection) -> None:
        raw = await _driver(connection)
        for account, step in self._steps.items():
            moved = (account, step.state.sequence, step.announced, step.announced_at)
            await raw.execute(_MOVE, *moved)
            self._states[account] = step.state
        self._steps = {}


async def _driver(connection: AsyncConnection) -> Any:
    """Return the driver's connection, inside the transaction that SQLAlchemy has begun."""
    await connection.exec_driver_sql("select 1")
    return (await connection.get_raw_connection()).driver_connection
