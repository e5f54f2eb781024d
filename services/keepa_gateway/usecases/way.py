"""The way out, up to the moment at which tokens are held: gate, throttle, reservation."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.chassis import telemetry
from services.chassis.clock import Clock
from services.chassis.errors import Refusal
from services.keepa_gateway.domain import refusals
from services.keepa_gateway.domain.attempt import Asking, Spending, attempt_id
from services.keepa_gateway.domain.calls import Call, Deadlines
from services.keepa_gateway.domain.covering import NEARLY_ALL, lasts
from services.keepa_gateway.domain.hopeless import beyond_capacity
from services.keepa_gateway.ports import Attempts, Budget, Gate, Hold

# A look at the gate that is younger will do: others of this process have looked at the same.
LOOKED_WITHIN = timedelta(milliseconds=20)
# So old may a look be that tells the shared clock, which the steady one tells on, or that a place
# is asked for by: to take the place insists on what it saw.
OPEN_WITHIN = timedelta(seconds=5)
_log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """Tokens that are held for the attempt that is to follow."""

    attempt_id: UUID
    number: int
    hold: Hold

    def read_up_to(self, sequence: int) -> "Held":
        """The same when the ledger was read further before the call leaves."""
        return replace(self, hold=replace(self.hold, sequence=sequence))


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
        self._seen = (clock.now(), clock.monotonic())

    def now(self) -> datetime:
        """The present by the clock that all replicas share, told on by the steady one."""
        instant, monotonic = self._seen
        return instant + timedelta(seconds=self._clock.monotonic() - monotonic)

    async def look(self) -> datetime:
        """The shared instant, compared again when the last look is a moment old."""
        _, now = await self._gate.read(within=OPEN_WITHIN)
        self._compare(now)
        return now

    def _compare(self, now: datetime) -> None:
        self._seen = (now, self._clock.monotonic())

    async def hold(self, call: Call, asking: Asking, number: int) -> Held:
        """Wait for a place and for tokens, within what the caller allows.

        ``number`` is the first that no call of the request has used yet.

        Raises:
            Refusal: Whatever stands in the way; then nothing is held.
        """
        patience = self._clock.monotonic() + asking.spending.max_wait.total_seconds()
        await self._take_place(call, asking, patience)
        try:
            held = await self._checked(
                call, asking, await self.reserve(call, asking, number, patience=patience)
            )
            if not self.covers(held, call):
                held = await self.renewed(call, asking, held, patience=patience)
                held = await self._checked(call, asking, held)
                await self.refuse_uncovered(held, call)
        except BaseException:
            await self._gate.give_back_place()
            raise
        return held

    async def _checked(self, call: Call, asking: Asking, held: Held) -> Held:
        try:
            await self.check(call, asking)
        except BaseException:
            await self.give_back(held)
            raise
        return held

    async def refuse_uncovered(self, held: Held, call: Call) -> None:
        """Refuse who holds for too short a time again; nothing is held for him then.

        When the intent is another replica's there is nothing to refuse: to open it tells so.

        Raises:
            Refusal: BUDGET_UNAVAILABLE.
        """
        if not self.covers(held, call) and await self.give_back(held):
            raise refusals.held_too_late()

    def covers(self, held: Held, call: Call) -> bool:
        """Whether a call may leave now under a hold.

        The last thing to ask before the intent: every wait on the way out ages the hold, and what
        a call costs that is out after its hold's end looks like a stranger's use of the key.
        """
        now, deadline = self._clock.monotonic(), self.deadlines.of(call.pace)
        return lasts(held.hold.covers_until, now, deadline)

    async def renewed(
        self, call: Call, asking: Asking, held: Held, *, patience: float = 0.0
    ) -> Held:
        """Give back a hold that no longer covers its call, and hold the tokens anew.

        A hold whose intent another replica has stored stays as it is: to open it tells so.

        Raises:
            Refusal: Budget's; then nothing is held.
        """
        if not await self.give_back(held):
            return held
        return await self.reserve(call, asking, held.number + 1, patience=patience)

    async def refuse_hopeless(self, call: Call, spending: Spending) -> None:
        """Refuse what no wait could make possible.

        What depends on the moment, as the balance does, only the reservation itself can tell.

        Raises:
            Refusal: COST_EXCEEDS_CAPACITY, or what is wrong with the envelope for good.
        """
        required = call.cost.most + spending.floor
        capacity = await self._budget.capacity(required)
        if capacity is not None and required > capacity:
            raise beyond_capacity(required, capacity)
        if spending.envelope:
            purse = await self._budget.purse(spending.envelope)
            refusal = purse.refusal(call.cost.most)
            if refusal is not None:
                raise refusal

    async def check(self, call: Call, asking: Asking, *, within: timedelta = LOOKED_WITHIN) -> None:
        """Look whether a call could leave now and its answer still find its caller.

        Looked at again after the waits: the first 429 stops everybody.

        Raises:
            Refusal: Whatever stands in the way.
        """
        self.check_deadline(call, asking)
        refusal = await self.closed(within=within)
        if refusal is not None:
            raise refusals.of_call(refusal, call)

    async def reserve(
        self, call: Call, asking: Asking, number: int, *, patience: float = 0.0
    ) -> Held:
        """Reserve under the request's next id; ids of ended reservations are passed over.

        ``patience`` is an instant of the monotonic clock; by default nobody waits for tokens.

        Raises:
            Refusal: Budget's; then nothing is held.
        """
        while True:
            own_id = attempt_id(asking.request_id, number)
            wait = timedelta(seconds=self._left(asking, call, patience))
            hold = await self._budget.reserve(
                own_id, tokens=call.cost.most, call=call, spending=asking.spending, wait=wait
            )
            if hold is not None and wait and not self._nearly_all(hold, call):
                # How much of that was the queue, before the grant, the same question tells.
                with suppress(Refusal):
                    hold = await self._budget.reserve(
                        own_id,
                        tokens=call.cost.most,
                        call=call,
                        spending=asking.spending,
                        wait=timedelta(0),
                    )
            if hold is not None:
                return Held(own_id, number, hold)
            number += 1

    def _nearly_all(self, hold: Hold, call: Call) -> bool:
        now, deadline = self._clock.monotonic(), self.deadlines.of(call.pace)
        return lasts(hold.covers_until, now, deadline, share=NEARLY_ALL)

    async def give_back(self, held: Held) -> bool:
        """Give a hold back behind a fence; false when its call is another replica's.

        The same request may have reached another replica, which sends under the same hold. What
        budget cannot hear now the reconciler repeats.
        """
        if not await self._attempts.fence(held.attempt_id, held.hold.name):
            return False
        try:
            await self._budget.release(held.hold.name)
        except Refusal as refusal:
            _log.warning("release postponed", reservation=held.hold.name, reason=refusal.reason)
        else:
            await self._attempts.mark_settled(held.attempt_id)
        return True

    def check_deadline(self, call: Call, asking: Asking) -> None:
        """Refuse what nobody would be there to hear.

        Raises:
            Refusal: DEADLINE_TOO_SHORT.
        """
        if asking.until is None:
            return
        left = asking.until - self._clock.monotonic()
        if left < call.pace.usual.total_seconds():
            raise refusals.deadline_too_short(left, call.pace.usual)

    async def closed(self, *, within: timedelta = LOOKED_WITHIN) -> Refusal | None:
        """Why no call may leave, or nothing when one may; waits while the way is kept quiet.

        The refusal is KEEPA_KEY_REJECTED, KEEPA_RATE_LIMITED or CIRCUIT_OPEN. A look that is as
        old as ``within`` may only say that the way is open.
        """
        while True:
            egress, now = await self._gate.read(within=within)
            self._compare(now)
            refusal, quiet = egress.refusal(now), egress.quiet_for(now)
            if refusal is None and not quiet:
                return None
            if within > LOOKED_WITHIN:
                within = LOOKED_WITHIN
            elif refusal is not None:
                return refusal
            else:
                await asyncio.sleep(min(quiet.total_seconds(), 0.2))

    async def _take_place(self, call: Call, asking: Asking, patience: float) -> None:
        """Sleep between tries and never inside: a sleeper blocks nobody (INC-9).

        Before each try everything is looked at that can be known without a place: who could only
        be refused takes nobody's.
        """
        while True:
            self.check_deadline(call, asking)
            await self.refuse_hopeless(call, asking.spending)
            await self.check(call, asking, within=OPEN_WITHIN)
            wait = await self.place([asking])
            if wait is None:
                return
            if wait.total_seconds() > self._left(asking, call, patience):
                raise await self.throttled(wait, call, asking)
            await asyncio.sleep(wait.total_seconds())

    async def place(self, askings: Iterable[Asking]) -> timedelta | None:
        """Take one place for a call of theirs, or say how long until there is one.

        No time at all means that the way must be looked at again.
        """
        urgency = min(asking.spending.priority for asking in askings)
        return await self._gate.take_place(urgency.kept_back(self._burst))

    async def give_back_place(self) -> None:
        """Undo a taken place whose call did not leave after all."""
        await self._gate.give_back_place()

    async def throttled(self, wait: timedelta, call: Call, asking: Asking) -> Refusal:
        """Say that the throttle has no place in time, and what the tokens would allow."""
        waited = asking.spending.max_wait > timedelta(0)
        refusal = refusals.throttled(wait, self._per_minute, waited=waited)
        return refusals.of_call(refusal, call, balance=await self._balance())

    async def _balance(self) -> int | None:
        """Tokens available, for people who are refused for another reason."""
        try:
            return await self._budget.available()
        except Refusal:
            return None

    def left(self, call: Call, asking: Asking, since: float) -> float:
        """Seconds that a caller who came at an instant of the monotonic clock still waits."""
        return self._left(asking, call, since + asking.spending.max_wait.total_seconds())

    def _left(self, asking: Asking, call: Call, patience: float) -> float:
        """Seconds to wait at most, so that the answer still finds its caller."""
        end = patience
        if asking.until is not None:
            end = min(end, asking.until - call.pace.usual.total_seconds())
        return max(end - self._clock.monotonic(), 0.0)
