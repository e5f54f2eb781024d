"""Steps of jobs: taken one at a time, done within the job's deadline, answered once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import uuid5

from services.chassis.clock import Clock
from services.chassis.errors import Refusal
from services.discovery.domain.answers import Appraisal, Listing, Status, Tally
from services.discovery.domain.criteria import Options
from services.discovery.domain.errand import Errand, Priority
from services.discovery.domain.past import ended_search
from services.discovery.domain.steps import MOST_ATTEMPTS, Step, StepAnswer, StepKind
from services.discovery.domain.stops import Stop, StopReason, stop_for, stop_named
from services.discovery.ports import Searches, Steps
from services.discovery.usecases.finding import Finder
from services.discovery.usecases.scoring import Appeal, Appraiser

MARGIN = timedelta(seconds=2)
"""Kept of the job's time for the answer's way back."""

ACTION = "auto_sourcing_job"
_IDLE_SECONDS = 1.0
_FIRST_PAUSE = timedelta(seconds=1)
_UNSETTLED_PAUSE = timedelta(seconds=2)

MOST_SEARCHES = 2
"""A search whose paid answer was lost is asked once more: without it a job has nothing to do."""


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
        searches: Searches,
        clock: Clock,
        lease: timedelta,
    ) -> None:
        self._steps = steps
        self._finder = finder
        self._appraiser = appraiser
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
        keeper = asyncio.create_task(self._keep(step), name=f"lease {step.task.step_id}")
        try:
            await asyncio.wait({work, keeper}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await self._finish(step, work.result())
        except asyncio.CancelledError:
            # An orderly stop gives the step to another replica at once.
            await asyncio.shield(self._steps.extend(step, duration=timedelta(0)))
            raise
        finally:
            for task in (work, keeper):
                task.cancel()
            await asyncio.gather(work, keeper, return_exceptions=True)
        return True

    async def _keep(self, step: Step) -> None:
        """Prolong the lease until another worker turns out to have it."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            if not await self._steps.extend(step, duration=self._lease):
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

    async def _discover(self, step: Step, effort: "Effort") -> None:
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

    async def _score(self, step: Step, effort: "Effort") -> None:
        task = step.task

        async def attempt() -> Stop | None:
            appeal = Appeal(
                domain=task.domain,
                asins=effort.missing(),
                options=task.options or Options(),
                errand=effort.errand(),
                as_of=step.created_at.replace(microsecond=0),
                call_id=step.call_id,
                force_refresh=task.force_refresh and bool(task.envelope),
                cache_only=not task.envelope,
            )
            stop = None
            try:
                async for chunk in self._appraiser.appraise(appeal):
                    effort.take(chunk.appraisals, stored=chunk.stored)
                    if chunk.reason and task.envelope:
                        stop = stop_named(chunk.reason, chunk.retry_after)
            except Refusal as refusal:
                return stop_for(refusal)
            return stop

        await effort.persist(attempt)

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


class Effort:
    """What one attempt at a step has brought so far, kept apart so that a timeout loses nothing."""

    def __init__(self, step: Step, ends: float, clock: Clock) -> None:
        self.tally = Tally()
        self.listing: Listing | None = None
        self._step = step
        self._ends = ends
        self._clock = clock
        self._answers: dict[str, Appraisal] = {}

    def errand(self) -> Errand:
        """Say who pays: the job, from its envelope, until its deadline."""
        task, left = self._step.task, max(0.0, self._ends - self._clock.monotonic())
        return Errand(
            caller=task.caller,
            envelope=task.envelope,
            priority=Priority.JOB,
            action=ACTION,
            job=task.job,
            max_wait=timedelta(seconds=left),
            deadline=self._clock.now() + timedelta(seconds=left),
            traceparent=self._step.traceparent,
        )

    def missing(self) -> list[str]:
        """List what was not answered yet, in the order asked for."""
        return [asin for asin in self._step.task.asins if asin not in self._answers]

    def take(self, appraisals: tuple[Appraisal, ...], *, stored: bool) -> None:
        """Take answers in; a product that was refused is none."""
        answered = [one for one in appraisals if one.status is not Status.REFUSED]
        self._answers |= {one.asin: one for one in answered}
        self.tally.add(answered, stored=stored)

    async def persist(self, attempt: Callable[[], Awaitable[Stop | None]]) -> None:
        """Try until it is done or stopped; sit out a way to Keepa that is closed for a moment."""
        pause = _FIRST_PAUSE
        while True:
            stop = await attempt()
            self.tally.stop = stop
            if stop is None or not stop.passing:
                return
            wait = pause if stop.retry_after is None else stop.retry_after
            if self._clock.monotonic() + wait.total_seconds() >= self._ends:
                return
            await asyncio.sleep(wait.total_seconds())
            pause = min(2 * pause, timedelta(seconds=10))

    def answer(self, seconds: float) -> StepAnswer:
        """Sum up."""
        asins = self._step.task.asins
        return StepAnswer(
            tally=self.tally,
            seconds=seconds,
            listing=self.listing,
            appraisals=tuple(self._answers[asin] for asin in asins if asin in self._answers),
            unanswered=tuple(self.missing()),
        )


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
