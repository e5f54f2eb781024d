"""One attempt at a step of a job: who pays, what it has brought, and what it sits out."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from services.chassis.clock import Clock
from services.discovery.domain.answers import Appraisal, Listing, Status, Tally
from services.discovery.domain.criteria import Options
from services.discovery.domain.errand import Errand, Priority
from services.discovery.domain.looking import improved
from services.discovery.domain.steps import Step, StepAnswer
from services.discovery.domain.stops import Stop
from services.discovery.usecases.scoring import Appeal

ACTION = "auto_sourcing_job"
_FIRST_PAUSE = timedelta(seconds=1)


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

    @property
    def answered(self) -> tuple[Appraisal, ...]:
        """What is known so far."""
        return tuple(self._answers.values())

    def halfway(self) -> float:
        """Give the instant, of the monotonic clock, at which half of the time left has passed."""
        now = self._clock.monotonic()
        return now + max(0.0, self._ends - now) / 2

    def appeal(self, asins: Sequence[str]) -> Appeal:
        """Ask for scores; ages are measured against the step, so that a repetition agrees."""
        task = self._step.task
        return Appeal(
            domain=task.domain,
            asins=asins,
            options=task.options or Options(),
            errand=self.errand(),
            as_of=self._step.created_at.replace(microsecond=0),
            call_id=self._step.call_id,
            force_refresh=task.force_refresh and bool(task.envelope),
            cache_only=not task.envelope,
        )

    def missing(self) -> list[str]:
        """List what was not answered yet, in the order asked for."""
        return [asin for asin in self._step.task.asins if asin not in self._answers]

    def take(self, appraisals: tuple[Appraisal, ...], *, stored: bool) -> None:
        """Take answers in; a product that was refused is none."""
        answered = [one for one in appraisals if one.status is not Status.REFUSED]
        self._answers |= {one.asin: one for one in answered}
        self.tally.add(answered, stored=stored)

    def improve(self, appraisals: tuple[Appraisal, ...]) -> None:
        """Take in what a second look brought; where it brought nothing the first one stands."""
        self._answers |= {one.asin: one for one in improved(appraisals)}
        self.tally.add_again(appraisals)

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
