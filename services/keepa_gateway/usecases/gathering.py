"""Gathering: what several requests want at one moment leaves as one call, and each pays its own."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from services.chassis.errors import Refusal
from services.keepa_gateway.domain import refusals
from services.keepa_gateway.domain.attempt import Asking, Priority
from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.products_request import MOST_PRODUCTS, ProductsRequest
from services.keepa_gateway.domain.snapshot import best
from services.keepa_gateway.ports import Packer, Snapshots, Sought
from services.keepa_gateway.usecases import harvesting
from services.keepa_gateway.usecases.paid import Paid, PaidSections, Plan, Wanted, intent
from services.keepa_gateway.usecases.way import OPEN_WITHIN, Held, Way

# How long a call waits for others that are known to be on their way; alone it never waits.
LONGEST_SECONDS = 0.01
# The same where the last call was shared: of a crowd some are always still on the socket. What it
# saves are places of the throttle, of which Keepa's callers have a few a minute.
CROWD_SECONDS = 0.05


@dataclass(eq=False, slots=True, kw_only=True)
class Share:
    """What one request has in a gathered call.

    Attributes:
        request: Its products, not more than a call takes.
        keys: What identical questions share, by product.
        number: The first that no call of the request has used yet.
        not_before: How old a stored answer may be.
        came_at: On the monotonic clock.
        context: In which its tokens are held: the ledger learns who asked.
        paid: What became of it.
        gone: Whether nobody waits for it any more.
        sent: Called when its call leaves.
    """

    request: ProductsRequest
    asking: Asking
    content: str
    keys: dict[str, str]
    number: int
    not_before: datetime
    came_at: float = field(default_factory=monotonic)
    context: Context = field(default_factory=copy_context)
    paid: "asyncio.Future[Paid]" = field(default_factory=asyncio.Future)
    gone: bool = False
    sent: Callable[[], None] = lambda: None

    @property
    def call(self) -> Call:
        """The call it would be alone."""
        return self.request.call()

    @property
    def urgency(self) -> Priority:
        """Whose turn it is; smaller goes first."""
        return self.asking.spending.priority

    def refuse(self, reason: BaseException) -> None:
        """Let its request go on without the others."""
        if not self.paid.done():
            self.paid.set_exception(reason)


@dataclass(eq=False, slots=True)
class _Gathering:
    """A call that others may still join, until it has its place."""

    shares: list[Share] = field(default_factory=list)
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    place_in: float = 0.0
    closed: bool = False

    @property
    def room(self) -> int:
        return MOST_PRODUCTS - sum(len(share.request.subjects) for share in self.shares)

    def takes(self, share: Share, patience: float) -> bool:
        """Whether a share fits in and its caller waits as long as the place is known to take.

        Nobody waits for a place among the less urgent, to whom fewer places are open.
        """
        fits = not self.closed and len(share.request.subjects) <= self.room
        if not fits or not self.place_in:
            return fits
        least = min((one.urgency for one in self.shares), default=share.urgency)
        return share.came_at + patience >= self.place_in and share.urgency >= least

    def leave(self, share: Share) -> bool:
        """Forget a share while no token is held for it; true when it was still there."""
        there = not self.closed and share in self.shares
        if there:
            self.shares.remove(share)
        return there


class Gatherer:
    """Gathers products of one marketplace and one set of options into calls."""

    def __init__(
        self, *, way: Way, paid: PaidSections, snapshots: Snapshots, packer: Packer
    ) -> None:
        self._way = way
        self._paid = paid
        self._snapshots = snapshots
        self._packer = packer
        self._open: dict[tuple[tuple[str, str], ...], _Gathering] = {}
        self._running: dict[asyncio.Task[None], _Gathering] = {}
        self._coming: set[object] = set()
        self._crowd = False  # Whether the last call was shared.

    def expect(self, request: object) -> None:
        """Learn of a request that may soon want to share a call."""
        self._coming.add(request)

    def dismiss(self, request: object) -> None:
        """Learn that an expected request has joined, or found its answer elsewhere."""
        self._coming.discard(request)
        if not self._coming and not self._crowd:
            for gathering in self._open.values():
                gathering.complete.set()

    async def buy(self, share: Share) -> Paid:
        """Buy some products in one call with whatever else is wanted now.

        Each share is held, charged and settled by itself; one that cannot be held leaves the
        call and lets the others go.

        Raises:
            Refusal: Why this share was not bought; then nothing is held for it.
        """
        try:
            self._way.check_deadline(share.call, share.asking)
            await self._way.refuse_hopeless(share.call, share.asking.spending)
        except BaseException:
            share.paid.cancel()  # Others may wait for it.
            raise
        gathering = self._joined(share)
        try:
            return await asyncio.shield(share.paid)
        except asyncio.CancelledError:
            share.gone = True
            if gathering.leave(share):
                share.paid.cancel()
            raise

    async def finish(self) -> None:
        """Wait until every gathered call is out; paid sections are waited for by themselves."""
        while self._running:
            await asyncio.wait(set(self._running))

    def _joined(self, share: Share) -> _Gathering:
        kind = (("domain", str(share.request.domain)), *share.request.options.parameters())
        gathering = self._open.get(kind)
        if gathering is None or not gathering.takes(share, self._left(share)):
            gathering = self._open[kind] = _Gathering()
            task = asyncio.create_task(self._go(gathering), name="gathering")
            self._running[task] = gathering
            task.add_done_callback(self._gone)
        gathering.shares.append(share)
        if not gathering.room:
            gathering.complete.set()
        return gathering

    def _gone(self, task: "asyncio.Task[None]") -> None:
        """Tell every share that was left without an answer why; nobody waits for ever."""
        gathering = self._running.pop(task)
        self._close(gathering)
        error = None if task.cancelled() else task.exception()
        for share in gathering.shares:
            if error is None:
                share.paid.cancel()
            else:
                share.refuse(error)

    def _close(self, gathering: _Gathering) -> None:
        gathering.closed = True
        self._open = {kind: one for kind, one in self._open.items() if one is not gathering}

    async def _go(self, gathering: _Gathering) -> None:
        await self._wait_for_others(gathering)
        placed = await self._placed(gathering)
        self._close(gathering)
        self._crowd = len(gathering.shares) > 1
        if not placed:
            return
        held = await self._covered(await self._kept(await self._held(gathering.shares)))
        if held:
            await self._bought(held)
        else:
            await self._way.give_back_place()

    async def _wait_for_others(self, gathering: _Gathering) -> None:
        await asyncio.sleep(0)
        if (self._coming or self._crowd) and gathering.room:
            longest = CROWD_SECONDS if self._crowd else LONGEST_SECONDS
            try:
                await asyncio.wait_for(gathering.complete.wait(), longest)
            except TimeoutError:
                return

    async def _placed(self, gathering: _Gathering) -> bool:
        """Take one place for all; who cannot wait for it is refused, who comes meanwhile joins.

        Nobody takes a place while the way is closed, also when it closed while they waited.
        """
        while gathering.shares:
            refusal = await self._way.closed(within=OPEN_WITHIN)
            if refusal is not None:
                self._close(gathering)
                for share in gathering.shares:
                    share.refuse(refusals.of_call(refusal, share.call))
                return False
            shares = list(gathering.shares)
            wait = await self._way.place(share.asking for share in shares)
            if wait is None:
                return True
            gathering.place_in = monotonic() + wait.total_seconds()
            # Some came while the place was asked for.
            hasty = [one for one in gathering.shares if self._left(one) < wait.total_seconds()]
            for share in hasty:
                gathering.leave(share)
            await asyncio.gather(*(self._throttled(share, wait) for share in hasty))
            if gathering.shares:
                await asyncio.sleep(wait.total_seconds())
        return False

    def _left(self, share: Share) -> float:
        return self._way.left(share.call, share.asking, share.came_at)

    async def _throttled(self, share: Share, wait: timedelta) -> None:
        share.refuse(await self._way.throttled(wait, share.call, share.asking))

    async def _held(self, shares: Sequence[Share]) -> list[tuple[Share, Held]]:
        """Hold the tokens of all at once."""
        return await self._each([(one, self._hold(one)) for one in shares])

    async def _hold(self, share: Share) -> Held:
        held = await self._way.reserve(share.call, share.asking, share.number)
        share.number = held.number + 1
        return held

    async def _covered(self, held: Sequence[tuple[Share, Held]]) -> Sequence[tuple[Share, Held]]:
        """Let nobody pay with a hold that would end before the call is over.

        All wait for the slowest. Who held early holds anew, once; who cannot is left behind.
        """
        if all(self._way.covers(one, share.call) for share, one in held):
            return held
        kept = await self._kept(
            await self._each([(share, self._renewed(share, one)) for share, one in held])
        )
        return await self._each([(share, self._lasting(share, one)) for share, one in kept])

    async def _each(
        self, steps: Sequence[tuple[Share, Coroutine[Any, Any, Held]]]
    ) -> list[tuple[Share, Held]]:
        """Take a step for all at once, each in its own caller's name; whom it refuses stays out."""

        async def taken(share: Share, step: Coroutine[Any, Any, Held]) -> Held | None:
            try:
                return await step
            except Refusal as refusal:
                share.refuse(refusal)
                return None

        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(taken(*pair), context=pair[0].context) for pair in steps]
        after = zip(steps, await asyncio.gather(*tasks), strict=True)
        return [(share, one) for (share, _), one in after if one is not None]

    async def _renewed(self, share: Share, held: Held) -> Held:
        if self._way.covers(held, share.call):
            return held
        renewed = await self._way.renewed(share.call, share.asking, held)
        share.number = renewed.number + 1
        return renewed

    async def _lasting(self, share: Share, held: Held) -> Held:
        await self._way.refuse_uncovered(held, share.call)
        return held

    async def _kept(self, held: Sequence[tuple[Share, Held]]) -> list[tuple[Share, Held]]:
        """Look once more after the waits: the first 429 stops everybody.

        Who went away meanwhile has asked for nothing: no intent is stored yet.
        """
        closed = await self._way.closed() if held else None
        kept, dropped = [], []
        for share, one in held:
            refusal = refusals.of_call(closed, share.call) if closed else self._late(share)
            if refusal is None and not share.gone:
                kept.append((share, one))
            else:
                dropped.append(self._dropped(share, one, refusal))
        await asyncio.gather(*dropped)
        return kept

    async def _dropped(self, share: Share, held: Held, refusal: Refusal | None) -> None:
        await self._way.give_back(held)
        if refusal is not None:
            share.refuse(refusal)
        else:
            share.paid.cancel()

    def _late(self, share: Share) -> Refusal | None:
        try:
            self._way.check_deadline(share.call, share.asking)
        except Refusal as refusal:
            return refusal
        return None

    async def _bought(self, held: Sequence[tuple[Share, Held]]) -> None:
        """Start the paid section, and hand every share its part of what became of it.

        Every one of the holds was granted before the call leaves, so the newest of their
        sequences is what had been read by then.
        """
        call_id, first = uuid4(), held[0][0].request
        subjects = [subject for share, _ in held for subject in share.request.subjects]
        newest = max(one.hold.sequence for _, one in held)
        intents = [
            intent(
                one.read_up_to(newest),
                share.call,
                share.asking,
                content=share.content,
                keys=share.keys,
                deadline=self._way.deadlines.of(share.call.pace),
                call_id=call_id,
            )
            for share, one in held
        ]
        parts = {one.attempt_id: share for share, one in held}
        section = self._paid.start_shared(
            intents,
            Plan(
                sought=Sought(first.domain, subjects, min(share.not_before for share, _ in held)),
                missing=lambda wanted: self._missing(wanted, parts),
                narrow=lambda gained: first.narrowed(gained).call(),
                reap=harvesting.products(first, self._packer, self._way),
            ),
        )
        for share in parts.values():
            share.sent()
        paid = await asyncio.shield(section)
        for attempt_id, share in parts.items():
            share.paid.set_result(paid[attempt_id])

    async def _missing(self, wanted: Wanted, parts: dict[UUID, Share]) -> Wanted:
        """Say what the store cannot answer, each share by the age that it accepts."""
        subjects = sorted({subject for some in wanted.values() for subject in some})
        first = next(iter(parts.values())).request
        there = await self._snapshots.find(
            first.domain, subjects, with_raw=False, with_product=False
        )
        return {
            attempt_id: tuple(
                subject
                for subject in some
                if best(
                    there.get(subject, ()),
                    first.options,
                    not_before=parts[attempt_id].not_before,
                )
                is None
            )
            for attempt_id, some in wanted.items()
        }
