"""The reconciler: finishes what a process that died, or a budget that was away, left open."""

import asyncio
from datetime import datetime, timedelta

from services.chassis import telemetry
from services.chassis.errors import Refusal
from services.keepa_gateway.domain.attempt import Attempt
from services.keepa_gateway.ports import Attempts, Budget, Fate, Gate, Turn
from services.keepa_gateway.usecases.balance import Balance
from services.keepa_gateway.usecases.paid import PaidSections
from services.keepa_gateway.usecases.way import Way

ROUND_SECONDS = 2.0
# Between a grant and its intent a living process needs far less; the fence makes it safe anyway.
UNSENT_AFTER = timedelta(seconds=15)
# A section of this process settles its own outcome within this time.
SETTLED_AFTER = timedelta(seconds=5)
QUIET = timedelta(seconds=5)
POLL_SECONDS = 0.1
_log = telemetry.get_logger(__name__)


class Reconciler:
    """Goes over open attempts again and again; every step may be repeated."""

    def __init__(
        self,
        *,
        attempts: Attempts,
        budget: Budget,
        gate: Gate,
        way: Way,
        paid: PaidSections,
        balance: Balance,
        turn: Turn,
        tick: timedelta,
    ) -> None:
        self._attempts = attempts
        self._budget = budget
        self._gate = gate
        self._way = way
        self._paid = paid
        self._balance = balance
        self._turn = turn
        self._tick = tick
        self._asked_at: datetime | None = None
        self._asked_for: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Reconcile for ever, one replica at a time."""
        while True:
            async with self._turn.take("reconciler") as mine:
                if mine:
                    await self.round()
            await asyncio.sleep(ROUND_SECONDS)

    async def round(self) -> None:
        """Do everything that is due once; what budget cannot hear now is due again."""
        await self._attempts.give_up_lost()
        now = await self._way.look()
        try:
            await self._release_unsent(now - UNSENT_AFTER)
            lost = [
                attempt
                for attempt in await self._attempts.unsettled()
                if attempt.ended_at is not None
                and attempt.ended_at < now - SETTLED_AFTER
                and await self._is_lost(attempt)
            ]
            await self._clear_up(lost)
        except Refusal as refusal:
            _log.warning("reconciliation postponed", reason=refusal.reason)

    async def _release_unsent(self, before: datetime) -> None:
        """Give back holds without an intent: certainly unsent, and fenced so for good."""
        for hold in await self._budget.open_holds():
            if hold.created_at > before:
                continue
            if await self._attempts.fence(hold.request_id, hold.name):
                await self._budget.release(hold.name)
                await self._attempts.mark_settled(hold.request_id)
                _log.info("unsent hold released", reservation=hold.name)

    async def _is_lost(self, attempt: Attempt) -> bool:
        """Book a known outcome; say whether the attempt waits for a balance to settle it."""
        if attempt.consumed is not None:
            await self._paid.settle(attempt)
            return False
        fate = await self._budget.fate(attempt.reservation)
        if fate is Fate.ENDED:
            await self._attempts.mark_estimated(attempt.attempt_id)
        return fate is Fate.UNKNOWN

    async def _clear_up(self, lost: list[Attempt]) -> None:
        """Let one balance say what the lost calls cost.

        Budget settles them from a balance asked for after their deadlines, over an interval in
        which no call is out. When traffic leaves no such interval for two ticks, it is made.
        Asked at once when another call was lost, and otherwise once a tick.
        """
        now = await self._way.look()
        holds = frozenset(attempt.reservation for attempt in lost)
        recently = self._asked_at is not None and now - self._asked_at < self._tick
        if not lost or (recently and holds <= self._asked_for):
            return
        self._asked_at, self._asked_for = now, holds
        oldest = min(attempt.ended_at or now for attempt in lost)
        if now - oldest > 2 * self._tick:
            await self._make_quiet()
        await self._balance.ask()
        await self._gate.hush(timedelta(0))

    async def _make_quiet(self) -> None:
        """Hold new calls back for a moment, until those that are out have ended."""
        await self._gate.hush(QUIET)
        for _ in range(round(QUIET.total_seconds() / POLL_SECONDS)):
            if not (await self._gate.counts()).pending:
                return
            await asyncio.sleep(POLL_SECONDS)
