"""The requests that change an account: reserve, commit, release, extend, report."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from services.budget.domain import refusals
from services.budget.domain.commands import Commit, Extend, Leave, Release, Report, Reserve
from services.budget.domain.reservation import Reservation, Terms
from services.budget.domain.rules import Stage
from services.budget.domain.values import replace
from services.budget.ports import Ledger
from services.budget.usecases.desk import Desk
from services.budget.usecases.writer import Told, Writer
from services.chassis.errors import Refusal

MOST_ACCOUNTS = 100
"""Each has a writer and is swept every second. Two made at the same moment may exceed it."""


class Budget:
    """What may be asked of the ledger; each method is one command and its outcome."""

    def __init__(self, desk: Desk, ledger: Ledger) -> None:
        self._desk = desk
        self._ledger = ledger

    async def reserve(self, terms: Terms, max_wait: timedelta) -> Told:
        """Set tokens aside, waiting up to ``max_wait`` for them.

        Raises:
            Refusal: Why not; nothing was taken.
        """
        terms = await self._placed(terms)
        writer = self._desk.writer(terms.account)
        told = await self._desk.at(terms.account, Reserve(terms=terms, max_wait=max_wait))
        if isinstance(told.answer, Reservation) and told.answer.stage is Stage.WAITING:
            return await _wait(writer, terms.id, max_wait)
        return told

    async def reserve_all(self, many: Sequence[Terms]) -> list[Told | Refusal]:
        """Decide many requests in their order, in as few transactions as fit."""
        placed = await self._all_placed(many)
        asked: dict[str, list[Terms]] = {}
        for terms in placed:
            if isinstance(terms, Terms):
                asked.setdefault(terms.account, []).append(terms)
        told = {account: iter(await self._ask(account, asked[account])) for account in asked}
        return [next(told[each.account]) if isinstance(each, Terms) else each for each in placed]

    async def _ask(self, account: str, many: Sequence[Terms]) -> Sequence[Told | Refusal]:
        try:
            return await self._desk.all_at(account, [Reserve(terms=terms) for terms in many])
        except Refusal as refusal:
            return [refusal] * len(many)

    async def commit(self, command: Commit) -> Told:
        """Book what a call consumed."""
        return await self._desk.at(await self._desk.account_of(command.reservation), command)

    async def release(self, command: Release) -> Told:
        """Give tokens back."""
        return await self._desk.at(await self._desk.account_of(command.reservation), command)

    async def extend(self, command: Extend) -> Told:
        """Move an expiry."""
        return await self._desk.at(await self._desk.account_of(command.reservation), command)

    async def report(self, account: str, command: Report) -> Told:
        """Record a balance, creating the account at its first.

        Raises:
            Refusal: TOO_MANY_ACCOUNTS, or the report's own.
        """
        try:
            return await self._desk.at(account, command)
        except Refusal as refusal:
            if refusal.reason != "ACCOUNT_NOT_FOUND":
                raise
        if len(await self._ledger.accounts()) >= MOST_ACCOUNTS:
            raise refusals.too_many_accounts(MOST_ACCOUNTS)
        await self._ledger.open_account(account)
        return await self._desk.at(account, command)

    async def _all_placed(self, many: Sequence[Terms]) -> list[Terms | Refusal]:
        """Put each on its account; an envelope may come in the same batch, before its draws."""
        placed: list[Terms | Refusal] = []
        accounts: dict[UUID | None, str] = {}
        for terms in many:
            try:
                placed.append(terms if terms.parent is None else await self._placed(terms))
            except Refusal as refusal:
                missing = refusal.reason == "RESERVATION_NOT_FOUND"
                account = accounts.get(terms.parent) if missing else None
                placed.append(replace(terms, account=account) if account else refusal)
            accounts[terms.id] = terms.account
        return placed

    async def _placed(self, terms: Terms) -> Terms:
        """Put a draw on its envelope's account."""
        if terms.parent is None:
            return terms
        return replace(terms, account=await self._desk.account_of(terms.parent))


async def _wait(writer: Writer, reservation: UUID, max_wait: timedelta) -> Told:
    """Wait for a grant, then leave the queue; leaving tells what became of the wait.

    A caller that goes away while it waits leaves the queue as well, unless its repeated
    request waits here already; a replica that stops keeps the place for the next one.
    """
    try:
        with writer.watching(reservation) as ended, suppress(TimeoutError):
            async with asyncio.timeout(max_wait.total_seconds()):
                await ended.wait()
        if writer.stopping and reservation in writer.state.waiting:
            raise refusals.server_stopping()
    except asyncio.CancelledError:
        if not writer.watched(reservation):
            writer.post([Leave(reservation=reservation)])  # Nobody is left to hear of it.
        raise
    return writer.granted(reservation) or await writer.ask(Leave(reservation=reservation))
