"""The requests that only read: accounts, reservations, entries, usage, and the check of it all."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from uuid import UUID

from services.budget.domain import granting, refusals
from services.budget.domain.actions import REGISTRY, Action
from services.budget.domain.audit import Violation
from services.budget.domain.commands import Look
from services.budget.domain.entries import Entry
from services.budget.domain.granting import Shortfall
from services.budget.domain.refusals import UnreadableEntryError
from services.budget.domain.reservation import Reservation, Terms
from services.budget.domain.rules import Rules, Stage
from services.budget.ports import (
    EntryQuery,
    Ledger,
    ReservationQuery,
    Usage,
    UsageQuery,
)
from services.budget.usecases.desk import Desk
from services.budget.usecases.verifying import (
    LONGEST_SECONDS,
    STRETCH,
    Findings,
    Place,
    Verifier,
)
from services.budget.usecases.writer import Change, Told
from services.chassis import telemetry
from services.chassis.errors import Refusal

_log = telemetry.get_logger(__name__)
MISSED_LIMIT = 10_000  # Entries that a resumed watch tells again; who missed more begins afresh.
OPEN = (Stage.WAITING, Stage.HELD, Stage.UNKNOWN)
PAGE = 1_000  # Of these are in memory at once, however slowly the reader takes them.


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


@dataclass(frozen=True, slots=True)
class Opening:
    """What a watch begins with: the account as of now.

    Attributes:
        after: The entries after this sequence follow, without a gap.
    """

    told: Told
    after: int


class Readings:
    """Reads the ledger; takes nothing.

    Args:
        steady: Seconds on a clock that never steps.
        stretch: Entries between two checkpoints of a verification.
    """

    def __init__(
        self,
        desk: Desk,
        ledger: Ledger,
        rules: Rules,
        *,
        steady: Callable[[], float] = time.monotonic,
        stretch: int = STRETCH,
    ) -> None:
        self._desk = desk
        self._ledger = ledger
        self._verifier = Verifier(ledger, rules, steady, stretch)

    async def account(self, account: str) -> Told:
        """Read one account as of now."""
        return await self._desk.at(account, Look())

    async def accounts(self, after: str, limit: int) -> tuple[list[Told], list[str], str]:
        """Read accounts by name, those after ``after``.

        Returns:
            The accounts, the names of those whose ledger cannot be read, and the name at which
            to go on; empty at the end.
        """
        names = [name for name in await self._ledger.accounts() if name > after]
        told: list[Told] = []
        unreadable: list[str] = []
        for name in names[:limit]:
            try:
                told.append(await self.account(name))
            except UnreadableEntryError as error:
                _log.error("account cannot be read", account=name, error=str(error))
                unreadable.append(name)
        return told, unreadable, names[limit - 1] if len(names) > limit else ""

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
        """List reservations, newest first, and the sequence at which to go on; 0 at the end.

        Those without an end are few and known; to meet them in the ledger, all of it would be read.
        """
        state = (await self.account(query.account)).state
        if query.stage in OPEN:
            here = chain(state.live.values(), state.waiting.values())
            query = replace(query, among=[each.id for each in here if each.stage is query.stage])
        ranked = await self._ledger.find(query)
        told = await self._ledger.tell([reservation for _, reservation in ranked])
        wanted = [each for each in told if query.stage in (None, each.stage)]
        return wanted, ranked[-1][0] if len(ranked) == query.limit else 0

    async def entries(self, query: EntryQuery) -> Sequence[Entry]:
        """List entries in the order of the ledger."""
        await self.account(query.account)
        return await self._ledger.search(query)

    async def usage(self, query: UsageQuery, *, seconds: float = LONGEST_SECONDS) -> Usage:
        """Sum what was spent, within so many seconds.

        Raises:
            Refusal: ACCOUNT_NOT_FOUND, USAGE_TOO_LARGE.
        """
        await self.account(query.account)
        return await self._ledger.usage(query, seconds=seconds)

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

    async def verify(
        self,
        account: str,
        *,
        full: bool = False,
        place: Place | None = None,
        seconds: float = LONGEST_SECONDS,
    ) -> Findings:
        """Check the ledger for a while; see ``Verifier.verify``.

        One that cannot be read has no state in use, and is looked at from the first entry on.
        Entries that this replica had and that a restore took away are told until it ends.

        Raises:
            Refusal: ACCOUNT_NOT_FOUND, CHECKPOINT_LOST.
        """
        used: Told | None = None
        try:
            used = await self.account(account)
        except UnreadableEntryError:
            full = True
        found = await self._verifier.verify(account, used, full=full, place=place, seconds=seconds)
        lost = self._desk.writer(account).lost
        if not lost:
            return found
        told = (
            f"Entry {lost} was stored, and is gone or another one since; the ledger was restored."
        )
        return replace(found, violations=(Violation("INV-10", 0, told), *found.violations))

    async def watch(
        self, account: str, after: int | None
    ) -> AsyncIterator[Opening | Entry | Change]:
        """Yield the account, the entries after a sequence, then every change, for ever.

        An entry that the opening includes comes alone: what the account was then is past.
        Without ``after`` only changes from now on are yielded.

        Raises:
            Refusal: ACCOUNT_NOT_FOUND; SEQUENCE_AHEAD; SLOW_READER when the reader does not
                keep up.
        """
        await self.account(account)
        with self._desk.writer(account).following() as follower:
            told = await self.account(account)
            newest = told.state.sequence
            if after is not None and after > newest:
                raise refusals.sequence_ahead(after, newest)
            resumed = after if after is not None and newest - after <= MISSED_LIMIT else newest
            yield Opening(told, resumed)
            async for entry in self._between(account, resumed, newest):
                yield entry
            while True:
                change = await follower.take()
                if change.entry.sequence > newest:
                    yield change

    async def _between(self, account: str, after: int, until: int) -> AsyncIterator[Entry]:
        while after < until:
            page = await self._ledger.page(account, after, min(PAGE, until - after))
            for entry in page:
                yield entry
            after = page[-1].sequence if page else until


def actions() -> Sequence[Action]:
    """List the registry by key."""
    return [REGISTRY[key] for key in sorted(REGISTRY)]
