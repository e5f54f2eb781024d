"""The course of a job: each fact and the change it makes, as pure functions.

A fact may come twice, late or out of order: a step counts once, and nothing moves a job
that has ended but the closing of its envelope.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from services.autosourcing.domain import endings
from services.autosourcing.domain.batches import batch_size, distinct
from services.autosourcing.domain.job import (
    Announcement,
    Asked,
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
    Stopped,
)
from services.autosourcing.domain.limits import Limits
from services.autosourcing.domain.picks import Pick, judge, listing_order


@dataclass(frozen=True)
class Change:
    """What a fact makes of a job.

    Attributes:
        announcements: What to tell, in order; none when the fact changed nothing.
        picks: Picks to save, best first.
        analyzed: ASINs that count as analysed from now on.
    """

    job: Job
    announcements: tuple[Announcement, ...] = ()
    picks: tuple[Pick, ...] = ()
    analyzed: tuple[str, ...] = ()


def start(job: Job, limits: Limits, now: datetime, *, envelope: str = "") -> Change:
    """Begin the work: the time runs from ``now``.

    ``envelope`` is budget's name for the tokens held; empty for a job that costs nothing.
    """
    if job.state is not State.PENDING:
        return Change(job)
    running = replace(
        job,
        state=State.RUNNING,
        started_at=now,
        deadline_at=now + limits.job_timeout,
        envelope=Envelope(name=envelope),
    )
    if job.plan.searches:
        step = Step(0, StepKind.SEARCH)
        running = replace(running, steps=(step,))
        return Change(running, (Started(), Asked(step)))
    plan = job.plan
    counts = Counts(unique=plan.given, recent=plan.recent)
    running = replace(running, backlog=plan.identifiers, counts=counts)
    return _after(Change(running, (Started(),)), limits, now)


def found(
    job: Job, answer: Found, limits: Limits, now: datetime, *, recent: Collection[str] = ()
) -> Change:
    """Take the answer of the search; ``recent`` are ASINs that a job analysed lately."""
    if not _awaits(job, 0):
        return Change(job)
    if job.overdue(now):
        return pass_deadline(job, limits, now)

    asins = distinct(answer.asins)
    skipped = set(recent) if job.plan.skip_recent else set()
    fresh = tuple(asin for asin in asins if asin not in skipped)
    counts = Counts(unique=len(asins), recent=len(asins) - len(fresh), tokens=answer.tokens)
    job = replace(_answered(job, 0), backlog=fresh[: job.plan.products], counts=counts)
    if answer.stop:
        return _end(Change(job), endings.stopped(answer.stop, limits.job_timeout), now)
    return _after(Change(job), limits, now)


def scored(job: Job, number: int, answer: Scored, limits: Limits, now: datetime) -> Change:
    """Take the answer of scoring request ``number``: keep its picks, then go on or end."""
    if not _awaits(job, number):
        return Change(job)
    if job.overdue(now):
        return pass_deadline(job, limits, now)

    judged = (judge(job.id, finding, job.plan.minimums) for finding in answer.findings)
    picks = tuple(sorted((pick for pick in judged if pick), key=listing_order))
    analyzed = tuple(finding.asin for finding in answer.findings) + answer.absent
    counts = replace(
        job.counts,
        analyzed=job.counts.analyzed + len(analyzed),
        unanswered=job.counts.unanswered + len(answer.unanswered),
        unknown=job.counts.unknown + len(answer.unknown),
        picks=job.counts.picks + len(picks),
        tokens=job.counts.tokens + answer.tokens,
    )
    announcements = tuple(PickFound(pick) for pick in picks)
    change = Change(replace(_answered(job, number), counts=counts), announcements, picks, analyzed)
    if answer.stop:
        return _end(change, endings.stopped(answer.stop, limits.job_timeout), now)
    return _after(change, limits, now)


def pass_deadline(job: Job, limits: Limits, now: datetime) -> Change:
    """End the job if it runs and its time is up."""
    if not job.overdue(now):
        return Change(job)
    return _end(Change(job), endings.timed_out(limits.job_timeout), now)


def cancel(job: Job, now: datetime) -> Change:
    """End the job on request, unless it has ended."""
    return give_up(job, endings.cancelled(), now)


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


def _after(change: Change, limits: Limits, now: datetime) -> Change:
    """Ask for the next batch, or complete when nothing is left."""
    job = change.job
    if not job.backlog:
        return _end(change, endings.completed(job.counts), now)
    number = max((step.number for step in job.steps), default=0) + 1
    size = batch_size(limits, number)
    step = Step(number, StepKind.SCORING, job.backlog[:size])
    job = replace(job, steps=(*job.steps, step), backlog=job.backlog[size:])
    return _told(change, job, Asked(step), Progressed())


def _end(change: Change, ending: Ending, now: datetime) -> Change:
    """End the job: what is left undone is unanswered; picks stay as they are."""
    job = change.job
    assert not job.state.final
    open_asins = sum(len(step.asins) for step in job.steps if not step.answered)
    left = open_asins + len(job.backlog)
    job = replace(
        job,
        state=ending.state,
        ending=ending,
        ended_at=now,
        backlog=(),
        counts=replace(job.counts, unanswered=job.counts.unanswered + left),
    )
    change = _told(change, job, Progressed())
    return change if job.envelope.open else _finish(change)


def _finish(change: Change) -> Change:
    """Tell the end, once, when no token of the job is held any more."""
    job = change.job
    if job.finished:
        return _told(change, job, Progressed())
    last = (Finished(),) if job.state is State.COMPLETED else (Stopped(), Finished())
    return _told(change, replace(job, finished=True), *last)


def _told(change: Change, job: Job, *announcements: Announcement) -> Change:
    return replace(change, job=job, announcements=change.announcements + announcements)


def _awaits(job: Job, number: int) -> bool:
    step = job.step(number)
    return job.state is State.RUNNING and step is not None and not step.answered


def _answered(job: Job, number: int) -> Job:
    steps = tuple(
        replace(step, answered=True) if step.number == number else step for step in job.steps
    )
    return replace(job, steps=steps)
