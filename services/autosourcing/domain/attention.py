"""When a job is next to be looked after by whichever replica comes first."""

from datetime import datetime, timedelta

from services.autosourcing.domain.job import Job, State

CREATOR_LEASE = timedelta(seconds=15)
"""How long a new job is left to the call that made it."""

SHORTEST_RECHECK = timedelta(seconds=5)
STOPPED_WATCH = timedelta(minutes=10)
UNSETTLED_WATCH = timedelta(hours=24)


def after_change(job: Job, now: datetime) -> datetime | None:
    """When the job needs somebody, if no event moves it before; None: never again."""
    if job.state is State.PENDING:
        return now + CREATOR_LEASE
    if job.state is State.RUNNING:
        return job.deadline_at
    if not job.finished:
        return now
    return _recheck(job, now)


def _recheck(job: Job, now: datetime) -> datetime | None:
    """A stopped job's last calls may still be booked, and unknown ones be settled.

    The pauses grow with the age of the end, so a day costs few questions.
    """
    if not job.envelope.name or job.ended_at is None:
        return None
    age = now - job.ended_at
    watch = UNSETTLED_WATCH if job.envelope.unsettled_tokens else STOPPED_WATCH
    done = job.state is State.COMPLETED and not job.envelope.unsettled_tokens
    if done or age > watch:
        return None
    return now + max(SHORTEST_RECHECK, age / 2)
