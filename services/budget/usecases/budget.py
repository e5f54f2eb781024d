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
        placed = await asyncio.gather(*map(self._placed, many), return_exceptions=True)
        asked = [
            self._desk.post(terms.account, Reserve(terms=terms))
            for terms in placed
            if isinstance(terms, Terms)
        ]
        told = iter(await asyncio.gather(*asked, return_exceptions=True))
        outcomes = [next(told) if isinstance(terms, Terms) else terms for terms in placed]
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal):
                raise outcome
        return [each for each in outcomes if isinstance(each, Told | Refusal)]

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
        """Record a balance, creating the account at its first."""
        try:
            return await self._desk.at(account, command)
        except Refusal as refusal:
            if refusal.reason != "ACCOUNT_NOT_FOUND":
                raise
        await self._ledger.open_account(account)
        return await self._desk.at(account, command)

    async def _placed(self, terms: Terms) -> Terms:
        """Put a draw on its envelope's account."""
        if terms.parent is None:
            return terms
        return replace(terms, account=await self._desk.account_of(terms.parent))


async def _wait(writer: Writer, reservation: UUID, max_wait: timedelta) -> Told:
    """Wait for a grant, then leave the queue; leaving tells what became of the wait.

    A caller that goes away while it waits leaves the queue as well; a replica that stops
    keeps the place for the next one.
    """
    try:
        with writer.watching(reservation) as ended, suppress(TimeoutError):
            async with asyncio.timeout(max_wait.total_seconds()):
                await ended.wait()
        if writer.stopping and reservation in writer.state.waiting:
            raise refusals.server_stopping()
    except asyncio.CancelledError:
        _leave(writer, reservation)
        raise
    return await _leave(writer, reservation)


def _leave(writer: Writer, reservation: UUID) -> "asyncio.Future[Told]":
    """Leave the queue, whether or not somebody is left to hear of it."""
    leaving = writer.post(Leave(reservation=reservation))
    leaving.add_done_callback(_seen)
    return leaving


def _seen(leaving: "asyncio.Future[Told]") -> None:
    if not leaving.cancelled():
        leaving.exception()
