"""The requests that only read: accounts, reservations, entries, usage, and the check of it all."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.budget.domain import audit, granting, refusals
from services.budget.domain.actions import REGISTRY, Action
from services.budget.domain.commands import Look
from services.budget.domain.entries import Entry
from services.budget.domain.evolve import evolve, forget
from services.budget.domain.granting import Shortfall
from services.budget.domain.reservation import Reservation, Terms
from services.budget.domain.rules import Rules
from services.budget.domain.state import State
from services.budget.ports import EntryQuery, Ledger, ReservationQuery, Usage, UsageQuery
from services.budget.usecases.desk import Desk
from services.budget.usecases.writer import Change, Told
from services.chassis.errors import Refusal

PAGE = 1_000  # Small enough that other calls are answered between two of them.


@dataclass(frozen=True, slots=True)
class Check:
    """Whether an action could start now.

    Attributes:
        start: When it could; None when no wait would help.
    """

    balance: int
    required: int
    allowed: bool
    start: datetime | None
    told: Told


class Readings:
    """Reads the ledger; takes nothing."""

    def __init__(self, desk: Desk, ledger: Ledger, rules: Rules) -> None:
        self._desk = desk
        self._ledger = ledger
        self._rules = rules

    async def account(self, account: str) -> Told:
        """Read one account as of now."""
        return await self._desk.at(account, Look())

    async def accounts(self, after: str, limit: int) -> list[Told]:
        """Read accounts by name, those after ``after``."""
        names = [name for name in await self._ledger.accounts() if name > after]
        return [await self.account(name) for name in names[:limit]]

    async def reservation(self, reservation: UUID) -> Reservation:
        """Read one reservation.

        Raises:
            Refusal: RESERVATION_NOT_FOUND.
        """
        found = await self._ledger.tell([reservation])
        if not found:
            raise refusals.reservation_not_found(reservation)
        return found[0]

    async def reservations(self, query: ReservationQuery) -> tuple[list[Reservation], int]:
        """List reservations, newest first, and the sequence at which to go on; 0 at the end."""
        await self.account(query.account)
        ranked = await self._ledger.find(query)
        told = await self._ledger.tell([reservation for _, reservation in ranked])
        wanted = [each for each in told if query.stage in (None, each.stage)]
        return wanted, ranked[-1][0] if len(ranked) == query.limit else 0

    async def entries(self, query: EntryQuery) -> Sequence[Entry]:
        """List entries in the order of the ledger."""
        await self.account(query.account)
        return await self._ledger.search(query)

    async def usage(self, query: UsageQuery) -> Usage:
        """Sum what was spent."""
        await self.account(query.account)
        return await self._ledger.usage(query)

    async def check(self, action: str, terms: Terms) -> Check:
        """Say whether ``terms`` could be reserved now for an action.

        Raises:
            Refusal: ACTION_NOT_FOUND, ACCOUNT_NOT_FOUND, BALANCE_UNKNOWN.
        """
        if action not in REGISTRY:
            raise refusals.action_not_found(action)
        told = await self.account(terms.account)
        obstacle = granting.check(told.state, terms, told.now)
        balance = told.state.available(told.now)
        if isinstance(obstacle, Shortfall):
            return Check(balance, obstacle.required, allowed=False, start=obstacle.start, told=told)
        if isinstance(obstacle, Refusal):
            if obstacle.reason != "COST_EXCEEDS_CAPACITY":
                raise obstacle
            return Check(balance, terms.required, allowed=False, start=None, told=told)
        return Check(balance, terms.required, allowed=True, start=told.now, told=told)

    async def verify(self, account: str) -> audit.Findings:
        """Replay the ledger from its first entry and compare it with the state in use."""
        told = await self.account(account)
        state = State(account=account, rules=self._rules)
        auditor = audit.Auditor(state)
        async for entry in self._all(account, told.state.sequence):
            auditor.take(entry)
        return auditor.findings(told.state, told.now)

    async def watch(self, account: str, after: int) -> AsyncIterator[Told | Change]:
        """Yield the account, then every change of it after a sequence, in order, for ever.

        Raises:
            Refusal: ACCOUNT_NOT_FOUND; SLOW_READER when the reader does not keep up.
        """
        await self.account(account)
        with self._desk.writer(account).following() as follower:
            told = await self.account(account)
            yield told
            if 0 < after < told.state.sequence:
                async for change in self._missed(told, after):
                    yield change
            while True:
                change = await follower.take()
                if change.entry.sequence > told.state.sequence:
                    yield change

    async def _missed(self, told: Told, after: int) -> AsyncIterator[Change]:
        state = State(account=told.state.account, rules=self._rules)
        async for entry in self._all(told.state.account, told.state.sequence):
            state = forget(evolve(state, entry))
            if entry.sequence > after:
                yield Change(entry, state, told.now)

    async def _all(self, account: str, until: int) -> AsyncIterator[Entry]:
        after = 0
        while after < until and (page := await self._ledger.page(account, after, PAGE)):
            for entry in page:
                if entry.sequence <= until:
                    yield entry
            after = page[-1].sequence


def actions() -> Sequence[Action]:
    """List the registry by key."""
    return [REGISTRY[key] for key in sorted(REGISTRY)]
