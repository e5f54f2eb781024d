"""The database in memory: locks, tails, unique keys and snapshots as PostgreSQL has them."""
# ruff: noqa: D102 - each method keeps the promise that its port states

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from services.budget.domain import refusals
from services.budget.domain.audit import Audit
from services.budget.domain.entries import Entry, Waiting
from services.budget.domain.evolve import forget, replay
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import Rules
from services.budget.domain.state import State
from services.budget.ports import (
    Batch,
    Checkpoint,
    Conflict,
    EntryQuery,
    Recalled,
    ReservationQuery,
    UsageQuery,
)
from services.budget.storage import checkpoints, past, snapshots


class Dead(Exception):  # noqa: N818 - what a process that was killed would see, if it saw anything
    """The process is gone: nothing that it does any more has an effect."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry and the second of the world at which it was committed."""

    at: float
    entry: Entry


@dataclass
class Database:
    """What survives every process: ledgers that only grow, a snapshot per account, checkpoints.

    Attributes:
        clock: The database's clock; it may step.
        restarts: How often a process began from a snapshot.
        shortcuts: How often a batch was stored by one statement.
    """

    clock: Callable[[], datetime]
    ledgers: dict[str, list[Stored]] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    checked: dict[tuple[str, int], tuple[bytes, datetime]] = field(default_factory=dict)
    restarts: int = 0
    shortcuts: int = 0
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _ears: list["asyncio.Future[None]"] = field(default_factory=list)
    _requests: set[UUID] = field(default_factory=set)
    _bound: dict[UUID, UUID] = field(default_factory=dict)
    _of: dict[UUID, list[tuple[str, Entry]]] = field(default_factory=lambda: defaultdict(list))

    async def rung(self) -> None:
        """Wait until something is committed that others should hear of."""
        heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ears.append(heard)
        await heard

    def ring(self) -> None:
        """Tell everybody who listens now."""
        ears, self._ears = self._ears, []
        for heard in ears:
            if not heard.done():
                heard.set_result(None)

    def lock(self, account: str) -> asyncio.Lock:
        """Return the lock of the account's row."""
        if account not in self.ledgers:
            raise refusals.account_not_found(account)
        return self._locks[account]

    def tail(self, account: str, after: int) -> list[Entry]:
        return [stored.entry for stored in self.ledgers[account][after:]]

    def recall(self, ids: Collection[UUID]) -> Recalled:
        """Retell what the ids name, whichever account it belongs to."""
        touched = [*ids, *(self._bound[each] for each in ids if each in self._bound)]
        told: dict[UUID, Reservation] = {}
        bound = {}
        for entries in self._entries_of(touched):
            found, answers = past.retell(entries)
            told |= found
            bound |= answers
        return Recalled(list(told.values()), bound)

    def _entries_of(self, ids: Iterable[UUID]) -> Iterable[list[Entry]]:
        found: dict[str, dict[int, Entry]] = defaultdict(dict)
        for each in ids:
            for account, entry in self._of.get(each, ()):
                found[account][entry.sequence] = entry
        return [[of[sequence] for sequence in sorted(of)] for of in found.values()]

    def account_of(self, reservation: UUID) -> str | None:
        found = self._of.get(reservation)
        return found[0][0] if found else None

    def knows(self, each: UUID) -> bool:
        """Whether an id stands for a request or a reservation."""
        return each in self._requests or each in self._of

    def queued_elsewhere(self, account: str, entries: Sequence[Entry]) -> bool:
        """Whether a request that entries bind was queued in another account."""
        return any(
            isinstance(entry.fact, Waiting) and place != account and entry.about.reservation == key
            for key in {each.request_id for each in entries} - {None}
            for place, entry in self._of.get(key, ())
        )

    def bound_twice(self, ids: Collection[UUID]) -> Collection[UUID]:
        """Return the ids that several entries bind; counted, for the keys above may be broken."""
        bound = Counter(
            stored.entry.request_id for ledger in self.ledgers.values() for stored in ledger
        )
        return {each for each in ids if bound[each] > 1}

    def check(self, account: str, entries: Sequence[Entry], after: int) -> None:
        """Hold the two unique indexes, as the statement that inserts would."""
        if entries and entries[0].sequence != after + 1:
            raise Conflict(f"{account}/{entries[0].sequence} is taken")
        fresh = [entry.request_id for entry in entries if entry.request_id is not None]
        if len(set(fresh)) < len(fresh) or not self._requests.isdisjoint(fresh):
            raise Conflict("a request id is bound already")

    def commit(self, account: str, entries: Sequence[Entry], at: float) -> None:
        """Make entries durable, all of them at one instant."""
        for entry in entries:
            self.ledgers[account].append(Stored(at, entry))
            about = entry.about
            if entry.request_id is not None:
                self._requests.add(entry.request_id)
                if about.reservation is not None:
                    self._bound[entry.request_id] = about.reservation
            for each in {about.reservation, about.parent} - {None}:
                self._of[each].append((account, entry))


class MemoryTurn:
    """Implements ``ports.Turn``."""

    def __init__(self, connection: "Connection", account: str, after: int) -> None:
        database = connection.database
        self.now = database.clock()
        self.tail: Sequence[Entry] = database.tail(account, after)
        known = database.ledgers[account][after - 1 : after] if after else []
        self.known_at = known[0].entry.at if known else None
        self.recalled = Recalled((), {})
        self.entries: Sequence[Entry] = ()
        self.snapshot: bytes | None = None
        self._connection = connection
        self._account = account

    async def append(self, entries: Sequence[Entry]) -> None:
        await self._connection.weather.statement()
        self._connection.live()
        stored = len(self._connection.database.ledgers[self._account])
        self._connection.database.check(self._account, entries, stored)
        self.entries = entries

    async def keep(self, state: State) -> None:
        self.snapshot = snapshots.encode(state)


class Weather:
    """What may go wrong between a process and the database; the fair kind."""

    async def statement(self) -> None:
        """Take the time of one round trip."""

    def before(self) -> None:
        """Fail, or let the process die, before anything is durable."""

    def after(self) -> None:
        """Fail, or let the process die, after everything is durable and before it is told."""


class Connection:
    """Implements ``ports.Ledger`` for one process, until that process is killed."""

    def __init__(self, database: Database, weather: Weather) -> None:
        self.database = database
        self.weather = weather
        self.dead = False

    def live(self) -> None:
        """Do nothing for a process that is gone."""
        if self.dead:
            raise Dead

    @asynccontextmanager
    async def turn(
        self, account: str, after: int, ids: Collection[UUID]
    ) -> AsyncIterator[MemoryTurn]:
        self.live()
        async with self.database.lock(account):
            self.live()
            turn = MemoryTurn(self, account, after)
            turn.recalled = self.database.recall(ids)
            yield turn
            self.live()
            if turn.entries:
                self.weather.before()
                self.live()
                self._commit(account, turn)
                self.weather.after()
                self.live()

    def _commit(self, account: str, turn: MemoryTurn) -> None:
        at = asyncio.get_running_loop().time()
        self.database.commit(account, turn.entries, at)
        self.database.ring()
        if turn.snapshot is not None:
            self.database.kept[account] = turn.snapshot

    async def store(self, account: str, batch: Batch) -> datetime | None:
        self.live()
        await self.weather.statement()
        async with self.database.lock(account):
            self.live()
            database, clock = self.database, self.database.clock()
            others = len(database.ledgers[account]) != batch.after
            if others or any(map(database.knows, batch.strange)):
                return None
            if database.queued_elsewhere(account, batch.entries):
                return None
            if not clock - batch.tolerance <= batch.decided_at <= clock:
                return None
            database.check(account, batch.entries, batch.after)
            database.shortcuts += 1
            if batch.entries:
                self.weather.before()
                self.live()
                database.commit(account, batch.entries, asyncio.get_running_loop().time())
                if batch.ring:
                    database.ring()
                self.weather.after()
                self.live()
        return clock

    async def keep(self, state: State) -> None:
        self.live()
        self.database.kept[state.account] = snapshots.encode(state)

    async def ring(self, account: str) -> None:  # noqa: ARG002 - one bell rings for all
        with suppress(Dead):  # Nobody awaits it: it ends with its process.
            self.live()
            await self.weather.statement()
            self.live()
            self.database.ring()

    async def load(self, account: str, rules: Rules) -> State:
        await self.weather.statement()
        self.live()
        state = State(account=account, rules=rules)
        if account in self.database.kept:
            state = snapshots.decode(self.database.kept[account], rules)
            self.database.restarts += 1
        if account not in self.database.ledgers:
            return state
        return forget(replay(state, self.database.tail(account, state.sequence)))

    async def open_account(self, account: str) -> None:
        self.live()
        self.database.ledgers.setdefault(account, [])

    async def accounts(self) -> Sequence[str]:
        self.live()
        return sorted(self.database.ledgers)

    async def account_of(self, reservation: UUID) -> str | None:
        self.live()
        return self.database.account_of(reservation)

    async def newest(self, account: str) -> int:
        self.live()
        return len(self.database.ledgers[account])

    async def page(self, account: str, after: int, limit: int) -> Sequence[Entry]:
        self.live()
        return self.database.tail(account, after)[:limit]

    async def newest_checkpoint(self, account: str, until: int, rules: Rules) -> Checkpoint | None:
        self.live()
        kept = [at for name, at in self.database.checked if name == account and at <= until]
        return await self.checkpoint(account, max(kept), rules) if kept else None

    async def checkpoint(self, account: str, sequence: int, rules: Rules) -> Checkpoint | None:
        self.live()
        kept = self.database.checked.get((account, sequence))
        if kept is None:
            return None
        data, at = kept
        return Checkpoint(checkpoints.decode(data, rules), checkpoints.digest(data), at)

    async def keep_checkpoint(self, audit: Audit, *, replace: bool) -> str:
        self.live()
        data, place = checkpoints.encode(audit), (audit.state.account, audit.state.sequence)
        if replace or place not in self.database.checked:
            self.database.checked[place] = data, self.database.clock()
        return checkpoints.digest(data)

    async def bound_twice(self, ids: Collection[UUID]) -> Collection[UUID]:
        self.live()
        return self.database.bound_twice(ids)

    async def tell(self, ids: Sequence[UUID]) -> Sequence[Reservation]:
        self.live()
        told = {each.id: each for each in self.database.recall(ids).reservations}
        return [told[each] for each in ids if each in told]

    async def search(self, query: EntryQuery) -> NoReturn:
        raise NotImplementedError(query)

    async def find(self, query: ReservationQuery) -> NoReturn:
        raise NotImplementedError(query)

    async def usage(self, query: UsageQuery, *, seconds: float) -> NoReturn:
        raise NotImplementedError(query, seconds)
