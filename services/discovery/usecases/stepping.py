"""Steps of jobs: taken one at a time, done within the job's deadline, answered once."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import uuid5

from services.chassis import telemetry
from services.chassis.cancelling import end
from services.chassis.clock import Clock
from services.chassis.errors import Refusal
from services.discovery.domain.answers import Tally
from services.discovery.domain.looking import Depth, candidates
from services.discovery.domain.past import ended_search
from services.discovery.domain.steps import MOST_ATTEMPTS, Step, StepAnswer, StepKind
from services.discovery.domain.stops import Stop, StopReason, stop_for, stop_named
from services.discovery.ports import Envelopes, Searches, Steps
from services.discovery.usecases.effort import Effort
from services.discovery.usecases.finding import Finder
from services.discovery.usecases.scoring import Appraiser

MARGIN = timedelta(seconds=2)
"""Kept of the job's time for the answer's way back."""

_IDLE_SECONDS = 1.0
_UNSETTLED_PAUSE = timedelta(seconds=2)

MOST_SEARCHES = 2
"""A search whose paid answer was lost is asked once more: without it a job has nothing to do."""

_log = telemetry.get_logger(__name__)


class Worker:
    """Does steps, one after the other.

    ``lease`` is how long a dead worker's step rests before another takes it; a living worker
    prolongs it three times as often.
    """

    def __init__(
        self,
        steps: Steps,
        finder: Finder,
        appraiser: Appraiser,
        *,
        envelopes: Envelopes,
        searches: Searches,
        clock: Clock,
        lease: timedelta,
    ) -> None:
        self._steps = steps
        self._finder = finder
        self._appraiser = appraiser
        self._envelopes = envelopes
        self._searches = searches
        self._clock = clock
        self._lease = lease

    async def run(self) -> None:
        """Work for ever."""
        while True:
            if not await self.work_once():
                await self._steps.wait(_IDLE_SECONDS)

    async def work_once(self) -> bool:
        """Do the oldest step that nobody works on; False when there is none."""
        step = await self._steps.claim(duration=self._lease)
        if step is None:
            return False
        work = asyncio.create_task(self._answer(step), name=f"step {step.task.step_id}")
        try:
            await self._keep(step, work)
            if work.done():
                await self._finish(step, work.result())
        except asyncio.CancelledError:
            # An orderly stop gives the step to another replica at once.
            await asyncio.shield(self._steps.extend(step, duration=timedelta(0)))
            raise
        finally:
            await end(work)
        return True

    async def _keep(self, step: Step, work: "asyncio.Task[StepAnswer]") -> None:
        """Prolong the lease until the work is done, or another worker turns out to have it.

        A prolongation that fails ends nothing: what is being paid for goes on, and only whoever
        has the step when it is answered can answer it.
        """
        while not work.done():
            await asyncio.wait({work}, timeout=self._lease.total_seconds() / 3)
            if work.done():
                return
            prolonging = self._steps.extend(step, duration=self._lease)
            (prolonged,) = await asyncio.gather(prolonging, return_exceptions=True)
            if isinstance(prolonged, BaseException):
                _log.warning("lease not prolonged", step=str(step.task.step_id), exc_info=prolonged)
            elif not prolonged:
                return

    async def _answer(self, step: Step) -> StepAnswer:
        """Do a step; whatever ends it early is part of its answer."""
        began = self._clock.monotonic()
        if step.attempts > MOST_ATTEMPTS:
            message = f"The step was begun {MOST_ATTEMPTS} times and never ended."
            return _stopped(step, Stop(StopReason.FAULT, message))
        left = step.task.deadline - MARGIN - await self._steps.now()
        ends = self._clock.monotonic() + left.total_seconds()
        effort = Effort(step, ends, self._clock)
        do = self._discover if step.task.kind is StepKind.DISCOVERY else self._score
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left.total_seconds())):
                await do(step, effort)
                return effort.answer(self._clock.monotonic() - began)
        effort.tally.stop = Stop(StopReason.DEADLINE, "The job's time was up.")
        return effort.answer(self._clock.monotonic() - began)

    async def _discover(self, step: Step, effort: Effort) -> None:
        """Search; a search whose answer was lost is named anew once its cost is settled.

        The names follow from the step, so a worker that repeats it finds the search that was
        answered and pays nothing. How often the job pays is bounded by its envelope.
        """
        task = step.task
        assert task.filter is not None
        wanted, lost = task.filter, 0

        async def attempt() -> Stop | None:
            nonlocal lost
            try:
                effort.listing = await self._finder.find(
                    step.call_id(("find", wanted, lost) if lost else ("find", wanted)),
                    wanted,
                    effort.errand(),
                    force_refresh=task.force_refresh and bool(task.envelope),
                    cache_only=not task.envelope,
                )
            except Refusal as refusal:
                effort.tally.unsettled = _unsettled(refusal)
                if refusal.reason != "OUTCOME_UNKNOWN":
                    return stop_for(refusal)
                if effort.tally.unsettled:
                    return _lost(refusal, _UNSETTLED_PAUSE)
                lost += 1
                return _lost(refusal, timedelta(0)) if lost < MOST_SEARCHES else stop_for(refusal)
            effort.tally.unsettled = 0
            effort.tally.add_listing(effort.listing)
            return None

        await effort.persist(attempt)

    async def _score(self, step: Step, effort: Effort) -> None:
        task = step.task

        async def attempt() -> Stop | None:
            stop = None
            try:
                async for chunk in self._appraiser.appraise(effort.appeal(effort.missing())):
                    effort.take(chunk.appraisals, stored=chunk.stored)
                    if chunk.reason and task.envelope:
                        stop = stop_named(chunk.reason, chunk.retry_after)
            except Refusal as refusal:
                return stop_for(refusal)
            return stop

        await effort.persist(attempt)
        if task.envelope and task.kept is not None and effort.tally.stop is None:
            await self._improve(effort, task.envelope, task.kept)

    async def _improve(self, effort: Effort, envelope: str, kept: int) -> None:
        """Look again at the best, with what the job does not need for its first pass.

        It is an extra: of what ends it, only what would end the job as well is told.
        """
        close = replace(effort.appeal(candidates(effort.answered)), depth=Depth.OFFERS)
        latest = effort.halfway()
        try:
            left = await self._envelopes.left(envelope) - kept
            async for chunk in self._appraiser.again(close, left=left):
                effort.improve(chunk.appraisals)
                if chunk.reason:
                    effort.tally.stop = _serious(stop_named(chunk.reason, chunk.retry_after))
                if self._clock.monotonic() >= latest:
                    return
        except Refusal as refusal:
            effort.tally.stop = _serious(stop_for(refusal))

    async def _finish(self, step: Step, answer: StepAnswer) -> None:
        """Answer, then remember; the history of a step that was repeated holds it once."""
        if not await self._steps.finish(step, answer):
            return
        task = step.task
        search = ended_search(
            answer.tally,
            answer.seconds,
            search_id=uuid5(step.event_id, "search"),
            caller=task.caller,
            job=task.job,
            now=self._clock.now(),
        )
        found = answer.tally.asked if answer.listing is None else len(answer.listing.asins)
        await self._searches.add(replace(search, filter=task.filter, results=found))


def _serious(stop: Stop) -> Stop | None:
    return stop if stop.reason in {StopReason.RATE_LIMITED, StopReason.KEY_REJECTED} else None


def _stopped(step: Step, stop: Stop) -> StepAnswer:
    tally = Tally(stop=stop)
    return StepAnswer(tally=tally, seconds=0.0, unanswered=step.task.asins)


def _lost(refusal: Refusal, pause: timedelta) -> Stop:
    """Sit out an answer that was lost: its cost is settled by and by."""
    return Stop(StopReason.KEEPA_UNAVAILABLE, refusal.message, pause)


def _unsettled(refusal: Refusal) -> int:
    """Read how many tokens a lost answer may have cost."""
    if refusal.reason != "OUTCOME_UNKNOWN":
        return 0
    return int(refusal.facts.get("unsettled", 0))
