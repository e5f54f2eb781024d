"""The way out, up to the moment at which tokens are held: gate, throttle, reservation."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.chassis.clock import Clock
from services.chassis.errors import Refusal
from services.keepa_gateway.domain import refusals
from services.keepa_gateway.domain.attempt import Asking, attempt_id
from services.keepa_gateway.domain.calls import Call, Deadlines
from services.keepa_gateway.ports import Attempts, Budget, Gate, Hold

COMPARED_FOR_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Held:
    """Tokens that are held for the attempt that is to follow."""

    attempt_id: UUID
    number: int
    hold: Hold


class Way:
    """Leads calls out, one step after the other; nothing is spent on it."""

    def __init__(
        self,
        *,
        gate: Gate,
        attempts: Attempts,
        budget: Budget,
        clock: Clock,
        deadlines: Deadlines,
        tick: timedelta,
        per_minute: int,
        burst: int,
    ) -> None:
        self.deadlines = deadlines
        self.tick = tick
        self._gate = gate
        self._attempts = attempts
        self._budget = budget
        self._clock = clock
        self._per_minute = per_minute
        self._burst = burst
        self._seen = (clock.now(), float("-inf"))

    def now(self) -> datetime:
        """The present by the clock that all replicas share, told on by the steady one."""
        instant, monotonic = self._seen
        return instant + timedelta(seconds=self._clock.monotonic() - monotonic)

    async def look(self) -> datetime:
        """The shared instant, compared again when the last comparison is a moment old."""
        if self._clock.monotonic() - self._seen[1] > COMPARED_FOR_SECONDS:
            _, now = await self._gate.read()
            self._seen = (now, self._clock.monotonic())
        return self.now()

    async def hold(self, call: Call, asking: Asking, number: int) -> Held:
        """Wait for a place and for tokens, within what the caller allows.

        ``number`` is the first that no call of the request has used yet.

        Raises:
            Refusal: Whatever stands in the way; then nothing is held.
        """
        patience = self._clock.monotonic() + asking.spending.max_wait.total_seconds()
        self._check_deadline(call, asking)
        await self._check_gate()
        await self._take_place(call, asking, patience)
        try:
            held = await self._reserve(call, asking, number, patience)
        except BaseException:
            await self._gate.give_back_place()
            raise
        await self._check_again(call, asking, held)
        return held

    async def _reserve(self, call: Call, asking: Asking, number: int, patience: float) -> Held:
        """Reserve under the request's next id; ids of ended reservations are passed over."""
        while True:
            own_id = attempt_id(asking.request_id, number)
            wait = timedelta(seconds=self._left(asking, call, patience))
            hold = await self._budget.reserve(
                own_id, tokens=call.cost.most, call=call, spending=asking.spending, wait=wait
            )
            if hold is not None:
                return Held(own_id, number, hold)
            number += 1

    async def _check_again(self, call: Call, asking: Asking, held: Held) -> None:
        """Look once more after the waits: the first 429 stops everybody.

        The hold is given back only behind a fence: the same request may have reached another
        replica, which sends under the same hold.
        """
        try:
            self._check_deadline(call, asking)
            await self._check_gate()
        except BaseException:
            await self._gate.give_back_place()
            if await self._attempts.fence(held.attempt_id, held.hold.name):
                await self._budget.release(held.hold.name)
                await self._attempts.mark_settled(held.attempt_id)
            raise

    def _check_deadline(self, call: Call, asking: Asking) -> None:
        if asking.until is None:
            return
        left = asking.until - self._clock.monotonic()
        if left < call.pace.usual.total_seconds():
            raise refusals.deadline_too_short(left, call.pace.usual)

    async def _check_gate(self) -> None:
        while True:
            egress, now = await self._gate.read()
            self._seen = (now, self._clock.monotonic())
            refusal: Refusal | None = egress.refusal(now)
            if refusal is not None:
                raise refusal
            quiet = egress.quiet_for(now)
            if not quiet:
                return
            await asyncio.sleep(min(quiet.total_seconds(), 0.2))

    async def _take_place(self, call: Call, asking: Asking, patience: float) -> None:
        """Sleep between tries and never inside: a sleeper blocks nobody (INC-9)."""
        kept_back = asking.spending.priority.kept_back(self._burst)
        waited = asking.spending.max_wait > timedelta(0)
        while (wait := await self._gate.take_place(kept_back)) is not None:
            if wait.total_seconds() > self._left(asking, call, patience):
                raise refusals.throttled(wait, self._per_minute, waited=waited)
            await asyncio.sleep(wait.total_seconds())

    def _left(self, asking: Asking, call: Call, patience: float) -> float:
        """Seconds to wait at most, so that the answer still finds its caller."""
        end = patience
        if asking.until is not None:
            end = min(end, asking.until - call.pace.usual.total_seconds())
        return max(end - self._clock.monotonic(), 0.0)
