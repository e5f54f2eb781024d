"""The paid section: from the stored intent to the settled outcome, whoever still waits for it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from services.chassis.errors import Refusal
from services.keepa_gateway.domain.attempt import Asking, Attempt, Intent
from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.outcome import Outcome, Verdict
from services.keepa_gateway.ports import Attempts, Budget, Harvest, Keepa
from services.keepa_gateway.usecases.reading import Reading, read
from services.keepa_gateway.usecases.way import Held, Way

UNSENT_TRIES = 3
UNSENT_PAUSE_SECONDS = 0.1

Narrow = Callable[[tuple[str, ...]], Call]
Reap = Callable[[Reading, tuple[str, ...]], Awaitable[Harvest]]
_log = structlog.get_logger(module=__name__)


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


class PaidSections:
    """Runs paid sections in tasks that no call owns, and waits for them at stop."""

    def __init__(self, *, keepa: Keepa, attempts: Attempts, budget: Budget, way: Way) -> None:
        self._keepa = keepa
        self._attempts = attempts
        self._budget = budget
        self._way = way
        self._running: set[asyncio.Task[Paid]] = set()

    def start(self, intent: Intent, narrow: Narrow, reap: Reap) -> "asyncio.Task[Paid]":
        """Begin a section; it ends by itself even when its caller goes away.

        ``narrow`` builds the call for the subjects that could be claimed; ``reap`` turns a good
        answer into what is stored.
        """
        task = asyncio.create_task(self._run(intent, narrow, reap), name=f"paid {intent.hold}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def finish(self) -> None:
        """Wait until every section has ended."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def _run(self, intent: Intent, narrow: Narrow, reap: Reap) -> Paid:
        opened = await self._attempts.open(intent)
        if opened.foreign:
            return Paid(attempt=None, harvest=Harvest())
        if not opened.gained:
            await self._budget.release(intent.hold)
            await self._attempts.mark_settled(intent.attempt_id)
            return Paid(attempt=None, harvest=Harvest())
        reading = await self._send(narrow(opened.gained))
        harvest = Harvest()
        if reading.outcome.verdict is Verdict.ANSWERED:
            harvest = await reap(reading, opened.gained)
        attempt = await self._attempts.close(intent.attempt_id, reading.outcome, harvest)
        await self.settle(attempt)
        return Paid(attempt=attempt, gained=opened.gained, harvest=harvest)

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
