"""Takes discovery's answers, inside the transaction that remembers that they came."""

from datetime import datetime
from uuid import UUID

from services.autosourcing.domain import attention, course
from services.autosourcing.domain.course import Change
from services.autosourcing.domain.job import Found, Job, Scored
from services.autosourcing.domain.limits import Limits
from services.autosourcing.ports import Work
from services.chassis import telemetry

_log = telemetry.get_logger(__name__)


class UnknownJobError(Exception):
    """An answer names a job that was never stored here."""


class Answering:
    """Moves a job on by one answer; a repeated or late one moves nothing."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def found(self, work: Work, job_id: UUID, step: UUID, answer: Found) -> None:
        """Take the answer of a job's search."""
        job, now = await self._locked(work, job_id)
        criteria = job.plan.spec.criteria
        assert criteria is not None
        since = now - self._limits.recent_window
        recent = await work.recent(criteria.domain, answer.asins, since)
        await self._save(
            work, job, course.found(job, step, answer, self._limits, now, recent=recent), now
        )

    async def scored(self, work: Work, job_id: UUID, step: UUID, answer: Scored) -> None:
        """Take the answer of a job's scoring request."""
        job, now = await self._locked(work, job_id)
        await self._save(work, job, course.scored(job, step, answer, self._limits, now), now)

    async def _locked(self, work: Work, job_id: UUID) -> tuple[Job, datetime]:
        job = await work.lock(job_id)
        if job is None:
            raise UnknownJobError(f"there is no job {job_id}")
        return job, await work.now()

    async def _save(self, work: Work, job: Job, change: Change, now: datetime) -> None:
        if not change.announcements:
            _log.info("answer came late", job=str(job.id), state=job.state.value)
            return
        await work.save(change, attend_at=attention.after_change(change.job, now))
