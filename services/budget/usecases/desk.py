"""The writers of all accounts, and which account a reservation belongs to."""

import asyncio
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from services.budget.domain import refusals
from services.budget.domain.commands import Command, Look, Sweep
from services.budget.domain.refusals import UnreadableEntryError
from services.budget.domain.rules import Rules
from services.budget.ports import Bell, Ledger, Shortcut
from services.budget.usecases.writer import Told, Writer
from services.chassis import telemetry
from services.chassis.errors import Refusal

_log = telemetry.get_logger(__name__)
SWEEP_SECONDS = 1.0
REMEMBERED = 100_000  # Reservations whose account is remembered.


class Desk:
    """Finds the writer for each command; makes one for an account at its first use."""

    def __init__(
        self,
        ledger: Ledger,
        rules: Rules,
        shortcut: Shortcut | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._shortcut = shortcut
        self._steady = steady
        self._rules = rules
        self._writers: dict[str, Writer] = {}
        self._places: dict[UUID, str] = {}
        self._unreadable: set[str] = set()
        self._stopping = False

    def writer(self, account: str) -> Writer:
        """Return the account's writer, whether or not the account exists."""
        found = self._writers.get(account)
        if found is None:
            found = self._writers[account] = Writer(
                self._ledger, account, self._rules, shortcut=self._shortcut, steady=self._steady
            )
            found.stopping = self._stopping
        return found

    async def at(self, account: str, command: Command) -> Told:
        """Ask an account.

        Raises:
            Refusal: ACCOUNT_NOT_FOUND, or the command's own.
        """
        try:
            return await self.writer(account).ask(command)
        finally:
            self._forget_unknown(account)

    async def all_at(self, account: str, commands: Sequence[Command]) -> list[Told | Refusal]:
        """Ask an account many things of one batch.

        Raises:
            Refusal: Of all of them: ACCOUNT_NOT_FOUND, or the database is out of reach.
        """
        try:
            return await self.writer(account).post(commands)
        finally:
            self._forget_unknown(account)

    async def account_of(self, reservation: UUID) -> str:
        """Return the account that a reservation belongs to.

        Raises:
            Refusal: RESERVATION_NOT_FOUND.
        """
        for account, writer in self._writers.items():
            if reservation in writer.state.live or reservation in writer.state.waiting:
                return account
        account = self._places.get(reservation) or await self._ledger.account_of(reservation) or ""
        if not account:
            raise refusals.reservation_not_found(reservation)
        if len(self._places) >= REMEMBERED:
            self._places.clear()
        self._places[reservation] = account
        return account

    async def warm(self) -> None:
        """Read every account that can be, so that the first call need not wait for a long replay.

        Raises:
            Refusal: The database is out of reach.
        """
        for account in await self._ledger.accounts():
            await self._tend(account, Look())

    async def sweep(self) -> None:
        """End for ever, in every account, what has run out; any number of replicas may."""
        while True:
            accounts = await self._ledger.accounts()
            await asyncio.gather(*(self._tend(account, Sweep()) for account in accounts))
            await asyncio.sleep(SWEEP_SECONDS)

    async def listen(self, bell: Bell) -> None:
        """Look for ever at what other replicas did, as soon as they did it."""
        while True:
            await bell.wait(SWEEP_SECONDS)
            for writer in self._writers.values():
                writer.look()

    async def finish(self) -> None:
        """End this replica's waits, keeping their places, and store what was asked."""
        self._stopping = True
        for writer in self._writers.values():
            writer.stop_waiting()
        await self.close()

    async def close(self) -> None:
        """Finish what was asked."""
        await asyncio.gather(*(writer.close() for writer in self._writers.values()))

    async def _tend(self, account: str, command: Command) -> None:
        """Ask an account; one whose ledger cannot be read is told of once, and stops no other."""
        try:
            await self.at(account, command)
        except UnreadableEntryError as error:
            if account not in self._unreadable:
                _log.error("account cannot be read", account=account, error=str(error))
            self._unreadable.add(account)
        else:
            self._unreadable.discard(account)

    def _forget_unknown(self, account: str) -> None:
        """Keep no writer for a name that somebody made up."""
        writer = self._writers.get(account)
        if writer is not None and writer.idle:
            del self._writers[account]
