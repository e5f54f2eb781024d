"""The paid section: from the stored intent to the settled outcome, whoever still waits for it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from services.chassis import telemetry
from services.chassis.errors import Refusal
from services.keepa_gateway.domain.attempt import Asking, Attempt, Intent
from services.keepa_gateway.domain.bodies import BrokenBody
from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.outcome import Outcome, Verdict
from services.keepa_gateway.ports import Attempts, Budget, Harvest, Keepa
from services.keepa_gateway.usecases.reading import Reading, read
from services.keepa_gateway.usecases.way import Held, Way

UNSENT_TRIES = 3
UNSENT_PAUSE_SECONDS = 0.1

Missing = Callable[[tuple[str, ...]], Awaitable[tuple[str, ...]]]
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


@dataclass(frozen=True, slots=True)
class Plan:
    """How an intent becomes a call, and its answer a harvest.

    Attributes:
        missing: Says which subjects the store cannot answer.
        narrow: Builds the call for some of the subjects.
        reap: Turns a good answer into what is stored.
    """

    missing: Missing
    narrow: Narrow
    reap: Reap


class PaidSections:
    """Runs paid sections in tasks that no call owns, and waits for them at stop."""

    def __init__(self, *, keepa: Keepa, attempts: Attempts, budget: Budget, way: Way) -> None:
        self._keepa = keepa
        self._attempts = attempts
        self._budget = budget
        self._way = way
        self._running: set[asyncio.Task[Paid]] = set()

    def start(self, intent: Intent, plan: Plan) -> "asyncio.Task[Paid]":
        """Begin a section; it ends by itself even when its caller goes away."""
        task = asyncio.create_task(self._run(intent, plan), name=f"paid {intent.hold}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def finish(self) -> None:
        """Wait until every section has ended."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def _run(self, intent: Intent, plan: Plan) -> Paid:
        subjects = await self._claim(intent, plan)
        if not subjects:
            return Paid(attempt=None, harvest=Harvest())
        reading = await self._send(plan.narrow(subjects))
        outcome, harvest = await _reaped(reading, subjects, plan.reap)
        attempt = await self._attempts.close(intent.attempt_id, outcome, harvest)
        await self.settle(attempt)
        return Paid(attempt=attempt, gained=subjects, harvest=harvest)

    async def _claim(self, intent: Intent, plan: Plan) -> tuple[str, ...]:
        """Store the intent and claim what nobody else asks for; with nothing left, let go.

        What somebody answered between our look into the store and our claim is not asked again:
        under the claim the store is looked into once more.
        """
        opened = await self._attempts.open(intent)
        if opened.foreign:
            return ()
        missing = await plan.missing(opened.gained) if opened.gained else ()
        if missing != opened.gained:
            keys = [intent.keys[subject] for subject in missing]
            await self._attempts.shrink(intent.attempt_id, missing, keys)
        if not missing:
            await self._budget.release(intent.hold)
            await self._attempts.mark_settled(intent.attempt_id)
        return missing

    async def _send(self, call: Call) -> Reading:
        """Send, and send again only what certainly never left."""
        for tries in range(1, UNSENT_TRIES + 1):
            answer = await self._keepa.send(call)
            if not isinstance(answer, Outcome):
                return await read(call, answer, self._way.now())
            if answer.verdict is not Verdict.UNSENT or tries == UNSENT_TRIES:
                return Reading(answer)
            await asyncio.sleep(UNSENT_PAUSE_SECONDS * 2**tries)
        raise AssertionError

    async def settle(self, attempt: Attempt) -> bool:
        """Tell budget how an attempt ended, when that is known; the reconciler repeats it."""
        if attempt.settled or attempt.consumed is None:
            return attempt.settled
        try:
            if attempt.verdict is Verdict.UNSENT:
                await self._budget.release(attempt.hold)
            else:
                await self._budget.commit(attempt)
        except Refusal as refusal:
            _log.warning("settlement postponed", hold=attempt.hold, reason=refusal.reason)
            if refusal.reason not in ("COMMIT_CONFLICT", "RESERVATION_NOT_FOUND"):
                return False
        await self._attempts.mark_settled(attempt.attempt_id)
        return True


async def _reaped(
    reading: Reading, subjects: tuple[str, ...], reap: Reap
) -> tuple[Outcome, Harvest]:
    """Reap a good answer; one of a form that nobody knows is a failure that was paid for."""
    outcome = reading.outcome
    if outcome.verdict is not Verdict.ANSWERED:
        return outcome, Harvest()
    try:
        return outcome, await reap(reading, subjects)
    except BrokenBody:
        reason = "Keepa's answer has a form that this version does not know."
        return replace(outcome, verdict=Verdict.FAILED, reason=reason), Harvest()


def intent(
    held: Held,
    call: Call,
    asking: Asking,
    *,
    content: str,
    keys: Mapping[str, str],
    deadline: timedelta,
) -> Intent:
    """Build what is stored before ``call`` leaves under ``held``."""
    return Intent(
        attempt_id=held.attempt_id,
        request_id=asking.request_id,
        number=held.number,
        content=content,
        endpoint=call.endpoint,
        fingerprint=call.fingerprint,
        keys=keys,
        hold=held.hold.name,
        bound=call.cost.most,
        after_sequence=held.hold.sequence,
        deadline=deadline,
    )
