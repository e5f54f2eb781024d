"""The course of a job: each fact and the change it makes, as pure functions.

A fact may come twice, late or out of order: a step counts once, and nothing moves a job
that has ended but the closing of its envelope.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.autosourcing.domain import endings
from services.autosourcing.domain.answers import Reading, read
from services.autosourcing.domain.batches import batch_size, distinct
from services.autosourcing.domain.job import (
    Announcement,
    Asked,
    Cause,
    Counts,
    Ending,
    Envelope,
    Finished,
    Found,
    Job,
    PickFound,
    Progressed,
    Scored,
    Started,
    State,
    Step,
    StepKind,
    Stop,
    Stopped,
    envelope_name,
    step_id,
)
from services.autosourcing.domain.limits import Limits
from services.autosourcing.domain.picks import Analysis, Outcome, Pick


@dataclass(frozen=True)
class Change:
    """What a fact makes of a job.

    Attributes:
        announcements: What to tell, in order; none when the fact changed nothing.
        picks: Picks to save, best first.
        products: What became of products, to save.
    """

    job: Job
    announcements: tuple[Announcement, ...] = ()
    picks: tuple[Pick, ...] = ()
    products: tuple[Analysis, ...] = ()


def start(job: Job, limits: Limits, now: datetime, *, envelope: str = "") -> Change:
    """Begin the work: the time runs from ``now``.

    ``envelope`` is budget's name for the tokens held; empty for a job that costs nothing.
    """
    if job.state is not State.PENDING:
        return Change(job)
    plan = job.plan
    running = replace(
        job,
        state=State.RUNNING,
        started_at=now,
        deadline_at=now + limits.job_timeout,
        envelope=Envelope(name=envelope),
    )
    if plan.searches:
        step = Step(0, StepKind.SEARCH)
        return Change(replace(running, steps=(step,)), (Started(), Asked(step)))
    counts = Counts(plan.given, plan.distinct, plan.recent, len(plan.asins))
    running = replace(running, backlog=plan.asins, counts=counts)
    return _go_on(Change(running, (Started(),)), limits, now)


def queue(job: Job) -> Change:
    """Tell that a job waits, and what is known of when it starts."""
    assert job.state is State.PENDING
    return Change(job, (Progressed(),))


def found(
    job: Job,
    step: UUID,
    answer: Found,
    limits: Limits,
    now: datetime,
    *,
    recent: Collection[str] = (),
) -> Change:
    """Take the answer of the search; ``recent`` are ASINs that a job analysed lately."""
    if not _awaits(job, step):
        return Change(job)
    if job.overdue(now):
        return pass_deadline(job, limits, now)

    asins = distinct(answer.asins)
    skipped = set() if job.plan.spec.include_recent else set(recent)
    fresh = tuple(asin for asin in asins if asin not in skipped)
    planned = fresh[: job.plan.spec.products]
    counts = Counts(
        found=len(answer.asins),
        distinct=len(asins),
        recent=len(asins) - len(fresh),
        planned=len(planned),
        tokens=answer.tokens,
    )
    change = Change(replace(_answered(job), backlog=planned, counts=counts))
    if answer.stop:
        return _end(change, _stopped(job, answer.stop, limits, now), now)
    return _go_on(change, limits, now)


def scored(job: Job, step: UUID, answer: Scored, limits: Limits, now: datetime) -> Change:
    """Take the answer of a scoring request: keep its picks, then go on or end."""
    if not _awaits(job, step):
        return Change(job)
    if job.overdue(now):
        return pass_deadline(job, limits, now)

    reading = read(job, answer)
    change = Change(
        replace(_answered(job), counts=_counted(job.counts, reading, answer.tokens)),
        tuple(PickFound(pick) for pick in reading.picks),
        reading.picks,
        reading.products,
    )
    if answer.stop:
        return _end(change, _stopped(job, answer.stop, limits, now), now)
    return _go_on(change, limits, now)


def pass_deadline(job: Job, limits: Limits, now: datetime) -> Change:
    """End the job if it runs and its time is up."""
    if not job.overdue(now):
        return Change(job)
    return _end(Change(job), endings.timed_out(limits.job_timeout), now)


def give_up(job: Job, ending: Ending, now: datetime) -> Change:
    """End the job with ``ending``, unless it has ended."""
    if job.state.final:
        return Change(job)
    return _end(Change(job), ending, now)


def close_envelope(job: Job, *, spent: int, unsettled: int) -> Change:
    """Take budget's word that the envelope is closed, and what it cost.

    Said again later, it only corrects the two numbers: an unknown call was settled.
    """
    assert job.state.final
    envelope = replace(job.envelope, closed=True, spent_tokens=spent, unsettled_tokens=unsettled)
    if envelope == job.envelope:
        return Change(job)
    return _finish(Change(replace(job, envelope=envelope)))


def _go_on(change: Change, limits: Limits, now: datetime) -> Change:
    """Ask for the next batch, or complete when nothing is left or there are picks enough."""
    job = change.job
    if not job.backlog or 0 < job.plan.spec.max_picks <= job.counts.picks:
        return _end(change, endings.completed(job.counts), now)
    number = max((step.number for step in job.steps), default=0) + 1
    size = batch_size(limits, number)
    step = Step(number, StepKind.SCORING, job.backlog[:size])
    job = replace(job, steps=(*job.steps, step), backlog=job.backlog[size:])
    return _told(change, job, Progressed(), Asked(step))


def _stopped(job: Job, stop: Stop, limits: Limits, now: datetime) -> Ending:
    """Discovery stops a little before the deadline, so that its answer arrives in time."""
    assert job.deadline_at is not None
    if stop.cause is Cause.DEADLINE and now >= job.deadline_at - limits.answer_margin:
        return endings.timed_out(limits.job_timeout)
    return endings.stopped(stop)


def _end(change: Change, ending: Ending, now: datetime) -> Change:
    """End the job: what is left undone is unanswered; picks stay as they are."""
    job = change.job
    assert not job.state.final
    undone = (job.open_step.asins if job.open_step else ()) + job.backlog
    left = tuple(
        Analysis(asin, Outcome.UNANSWERED, "The job ended before it was looked at")
        for asin in undone
    )
    envelope = _sought(job)
    job = replace(
        job, state=ending.state, ending=ending, ended_at=now, backlog=(), envelope=envelope
    )
    change = replace(change, products=change.products + left)
    change = _told(change, job, Progressed())
    return change if job.envelope.open else _finish(change)


def _sought(job: Job) -> Envelope:
    """The envelope to be closed at the end.

    A pending job asks for one, and the answer may be lost with budget or with the process that
    asked. Only budget knows whether the tokens are held, so it is asked to give them back.
    """
    if job.state is not State.PENDING or not job.plan.estimated_tokens:
        return job.envelope
    return Envelope(name=envelope_name(job.id, job.queue.attempt))


def _finish(change: Change) -> Change:
    """Tell the end, once, when no token of the job is held any more."""
    job = change.job
    if job.finished:
        return _told(change, job, Progressed())
    last = (Finished(),) if job.state is State.COMPLETED else (Stopped(), Finished())
    return _told(change, replace(job, finished=True), *last)


def _told(change: Change, job: Job, *announcements: Announcement) -> Change:
    return replace(change, job=job, announcements=change.announcements + announcements)


def _awaits(job: Job, step: UUID) -> bool:
    awaited = job.open_step
    running = job.state is State.RUNNING
    return running and awaited is not None and step_id(job.id, awaited.number) == step


def _answered(job: Job) -> Job:
    return replace(job, steps=tuple(replace(step, answered=True) for step in job.steps))


def _counted(counts: Counts, reading: Reading, tokens: int) -> Counts:
    return replace(
        counts,
        analyzed=counts.analyzed + reading.analyzed,
        unknown=counts.unknown + reading.unknown,
        picks=counts.picks + len(reading.picks),
        tokens=counts.tokens + tokens,
    )
