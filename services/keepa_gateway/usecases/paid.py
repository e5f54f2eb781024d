"""The paid section: from the stored intent to the settled outcome, whoever still waits for it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

from services.chassis import telemetry
from services.chassis.errors import Refusal
from services.keepa_gateway.domain.attempt import Asking, Attempt, Charge, Intent, charge
from services.keepa_gateway.domain.bodies import BrokenBody
from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.covering import end
from services.keepa_gateway.domain.outcome import Outcome, Verdict, unsent, unusable
from services.keepa_gateway.domain.shares import shares
from services.keepa_gateway.ports import Attempts, Budget, Ending, Harvest, Keepa, Sought
from services.keepa_gateway.usecases.reading import Reading, read
from services.keepa_gateway.usecases.way import Held, Way

UNSENT_TRIES = 3
UNSENT_PAUSE_SECONDS = 0.1
NOTE_SECONDS = 0.25  # So that calls one after the other are noted as booked by one statement.

Result = TypeVar("Result")
Wanted = Mapping[UUID, tuple[str, ...]]
"""Subjects by the attempt that pays for them."""
Missing = Callable[[Wanted], Awaitable[Wanted]]
Narrow = Callable[[tuple[str, ...]], Call]
Reap = Callable[[Reading, tuple[str, ...]], Awaitable[Harvest]]
_log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What became of an intent.

    Attributes:
        attempt: The attempt after its end; nothing when it was never sent by us.
        gained: The subjects that were asked for; the others are out under other attempts.
    """

    attempt: Attempt | None
    gained: tuple[str, ...] = ()
    harvest: Harvest


NOT_SENT = Paid(attempt=None, harvest=Harvest())


@dataclass(frozen=True, slots=True)
class Plan:
    """How intents become a call, and its answer a harvest.

    Attributes:
        missing: Says which subjects the store cannot answer.
        narrow: Builds the call for some of the subjects.
        reap: Turns a good answer into what is stored.
        sought: What the store could not answer when it was looked into; of products alone.
    """

    missing: Missing
    narrow: Narrow
    reap: Reap
    sought: Sought | None = None


class PaidSections:
    """Runs paid sections in tasks that no call owns, and waits for them at stop.

    A section is one HTTP call. It has one payer or several, each with an intent and a hold of
    its own: whatever becomes of the call becomes of every part of it.
    """

    def __init__(self, *, keepa: Keepa, attempts: Attempts, budget: Budget, way: Way) -> None:
        self._keepa = keepa
        self._attempts = attempts
        self._budget = budget
        self._way = way
        self._running: set[asyncio.Task[Any]] = set()
        self._known: list[UUID] = []  # Outcomes that budget knows of, not noted yet.
        self._noting: asyncio.Task[None] | None = None

    def start(self, intent: Intent, plan: Plan) -> "asyncio.Task[Paid]":
        """Begin a section with one payer; it ends by itself even when its caller goes away."""

        async def alone() -> Paid:
            return (await self._run([intent], plan))[intent.attempt_id]

        return self._started(alone(), intent.call_id)

    def start_shared(
        self, intents: Sequence[Intent], plan: Plan
    ) -> "asyncio.Task[dict[UUID, Paid]]":
        """Begin a section with several payers; the result is by attempt."""
        return self._started(self._run(intents, plan), intents[0].call_id)

    def _started(
        self, section: Coroutine[Any, Any, Result], call_id: UUID
    ) -> "asyncio.Task[Result]":
        task = asyncio.create_task(section, name=f"paid {call_id}")
        self._keep(task)
        return task

    def _keep(self, task: "asyncio.Task[Any]") -> None:
        """Hold on to a task until it ends, so that a stop waits for it."""
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        """Let go of a task; a failure is told even when its caller went away long ago."""
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("left to the reconciler", task=task.get_name(), error=type(error).__name__)

    async def finish(self) -> None:
        """Wait until every section has ended."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def _run(self, intents: Sequence[Intent], plan: Plan) -> dict[UUID, Paid]:
        began = monotonic()
        parts = await self._claim(intents, plan)
        paid = {intent.attempt_id: NOT_SENT for intent in intents}
        if not parts:
            await self._way.give_back_place()
            return paid
        subjects = tuple(subject for part in parts.values() for subject in part)
        payers = [intent for intent in intents if intent.attempt_id in parts]
        holds = [intent.covers_until for intent in payers]
        reading = await self._send(plan.narrow(subjects), end(began, payers[0].deadline, holds))
        came_at = self._way.now()
        costs = costs_of(reading.outcome, parts)
        told = charges(payers, costs, reading.outcome)
        booking = asyncio.create_task(self._booked(told), name="book")
        self._keep(booking)
        outcome, harvest = await _reaped(reading, subjects, plan.reap)
        harvest = replace(harvest, came_at=came_at)
        attempts = await self._attempts.close(endings_of(costs, harvest, parts), outcome, harvest)
        await asyncio.wait((booking,))  # Whatever goes wrong with it, the answer is here.
        if not booking.cancelled() and booking.exception() is None:
            self._note(booking.result())
        for attempt_id, gained in parts.items():
            paid[attempt_id] = Paid(attempt=attempts[attempt_id], gained=gained, harvest=harvest)
        return paid

    async def _claim(self, intents: Sequence[Intent], plan: Plan) -> Wanted:
        """Store the intents and claim what nobody else asks for; with nothing left, let go.

        What somebody answered between our look into the store and our claim is not asked again:
        under the claim the store is looked into once more, unless to claim told enough.
        """
        opened = await self._attempts.open(intents, plan.sought)
        own = [intent for intent in intents if not opened[intent.attempt_id].foreign]
        gained = {intent.attempt_id: opened[intent.attempt_id].gained for intent in own}
        known = all(opened[attempt_id].missing for attempt_id in gained)
        missing = gained if known or not any(gained.values()) else await plan.missing(gained)
        for intent in own:
            left = missing[intent.attempt_id]
            if left != gained[intent.attempt_id]:
                keys = [intent.keys[subject] for subject in left]
                await self._attempts.shrink(intent.attempt_id, left, keys)
        empty = [intent for intent in own if not missing[intent.attempt_id]]
        await asyncio.gather(*map(self._let_go, empty))
        return {attempt_id: left for attempt_id, left in missing.items() if left}

    async def _let_go(self, intent: Intent) -> None:
        """Give back a fenced hold; when budget is away the reconciler does it, and nobody waits."""
        try:
            await self._budget.release(intent.reservation)
        except Refusal as refusal:
            _log.warning("release postponed", reservation=intent.reservation, reason=refusal.reason)
            return
        await self._attempts.mark_settled(intent.attempt_id)

    async def _send(self, call: Call, until: float) -> Reading:
        """Send, and send again only what certainly never left.

        All tries end at one instant of the monotonic clock, which every hold that pays covers:
        after it the call is given up for lost and its tokens are settled, so nothing may be out
        any more, not even from a process that was frozen in between.
        """
        outcome = unsent("The time for the call was over before it left.")
        for tries in range(1, UNSENT_TRIES + 1):
            left = timedelta(seconds=until - monotonic())
            if left <= timedelta(0):
                break
            answer = await self._keepa.send(call, within=left)
            if not isinstance(answer, Outcome):
                return await read(call, answer, self._way.now())
            outcome = answer
            if outcome.verdict is not Verdict.UNSENT:
                break
            if tries < UNSENT_TRIES:
                await asyncio.sleep(UNSENT_PAUSE_SECONDS * 2**tries)
        return Reading(outcome)

    async def settle(self, attempt: Attempt) -> None:
        """Tell budget how an attempt ended, when that is known; the reconciler repeats it."""
        if attempt.charge is None or attempt.settled:
            return
        if known := await self._booked([attempt.charge]):
            await self._attempts.mark_settled(*known)

    def _note(self, known: Sequence[UUID]) -> None:
        """Note that budget knows of outcomes, soon and together with those of other calls.

        Nobody waits for it: what a crash undoes of it the reconciler tells budget once more.
        """
        self._known += known
        if self._known and (self._noting is None or self._noting.done()):
            self._noting = asyncio.create_task(self._note_soon(), name="note what is booked")
            self._keep(self._noting)

    async def _note_soon(self) -> None:
        while self._known:
            await asyncio.sleep(NOTE_SECONDS)
            known, self._known = self._known, []
            await self._attempts.mark_settled(*known)

    async def _booked(self, told: Sequence[Charge]) -> list[UUID]:
        """Tell budget what attempts cost, and return those that it now knows of.

        Beside the reading and storing of the answer, not after it: a hundred large books take a
        second, in which nobody else could use what was held too much. Whichever of the two a
        crash leaves undone, the reconciler finishes, and what budget knows of a cost is never
        wrong: that the answer is of no use makes it no cheaper.
        """
        heard = await asyncio.gather(*map(self._tell, told))
        return [one.attempt_id for one, known in zip(told, heard, strict=True) if known]

    async def _tell(self, charge: Charge) -> bool:
        """Commit or release; false when budget has to be told again."""
        try:
            if charge.sent:
                await self._budget.commit(charge)
            else:
                await self._budget.release(charge.reservation)
        except Refusal as refusal:
            _log.warning(
                "settlement postponed", reservation=charge.reservation, reason=refusal.reason
            )
            return refusal.reason in ("COMMIT_CONFLICT", "RESERVATION_NOT_FOUND")
        return True


def costs_of(outcome: Outcome, parts: Wanted) -> dict[UUID, int | None]:
    """Split a cost among those who pay for the call, by how much each of them asked for."""
    if outcome.consumed is None:
        return dict.fromkeys(parts)
    weights = [len(subjects) for subjects in parts.values()]
    return dict(zip(parts, shares(outcome.consumed, weights), strict=True))


def charges(
    payers: Sequence[Intent], costs: Mapping[UUID, int | None], outcome: Outcome
) -> list[Charge]:
    """Say what each payer of a call is charged; nothing while nobody knows what it cost."""
    known = partial(charge, verdict=outcome.verdict, observation=outcome.observation)
    told = (known(one, consumed=costs[one.attempt_id]) for one in payers)
    return [one for one in told if one is not None]


def endings_of(costs: Mapping[UUID, int | None], harvest: Harvest, parts: Wanted) -> list[Ending]:
    """Give each payer what his part cost and what was found of it."""
    found = harvest.found or {}
    return [
        Ending(
            attempt_id=attempt_id,
            consumed=costs[attempt_id],
            found={subject: found[subject] for subject in subjects if subject in found},
        )
        for attempt_id, subjects in parts.items()
    ]


async def _reaped(
    reading: Reading, subjects: tuple[str, ...], reap: Reap
) -> tuple[Outcome, Harvest]:
    """Reap a good answer; one of a form that nobody knows is a failure that was paid for.

    So is one at which our own reading fails: what it cost is booked all the same.
    """
    outcome = reading.outcome
    if outcome.verdict is not Verdict.ANSWERED:
        return outcome, Harvest()
    try:
        return outcome, await reap(reading, subjects)
    except BrokenBody:
        reason = "Keepa's answer has a form that this version does not know."
    except Exception as error:  # noqa: BLE001 - it was paid for, whatever is wrong with our reading
        _log.error("answer unreadable", error=type(error).__name__)
        reason = "Keepa's answer could not be read by this version."
    return unusable(outcome, reason), Harvest()


def intent(
    held: Held,
    call: Call,
    asking: Asking,
    *,
    content: str,
    keys: Mapping[str, str],
    deadline: timedelta,
    call_id: UUID | None = None,
) -> Intent:
    """Build what is stored before ``call`` leaves under ``held``.

    ``call_id`` names a call that other intents share; else the call is this one's alone.
    """
    return Intent(
        attempt_id=held.attempt_id,
        call_id=call_id or held.attempt_id,
        request_id=asking.request_id,
        number=held.number,
        content=content,
        endpoint=call.endpoint,
        fingerprint=call.fingerprint,
        keys=keys,
        reservation=held.hold.name,
        bound=call.cost.most,
        after_sequence=held.hold.sequence,
        deadline=deadline,
        covers_until=held.hold.covers_until,
    )
