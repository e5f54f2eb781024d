"""What people do with jobs and picks that exist: read, cancel, decide, export."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import msgspec

from services.autosourcing.domain import attention, course, endings, exports, refusals
from services.autosourcing.domain.job import Job, State
from services.autosourcing.domain.picks import Action, Analysis
from services.autosourcing.ports import (
    Jobs,
    Library,
    NewestPlace,
    Page,
    PickFilter,
    PickPlace,
    Request,
    SavedPick,
    Stats,
)
from services.autosourcing.usecases.repeats import first_answer

_EXPORT_PAGE = 200


@dataclass(frozen=True)
class Decision:
    """What a reseller decides about a pick; None leaves it as it is.

    Attributes:
        etag: The one that was read; empty changes whatever is there.
    """

    action: Action | None
    notes: str | None
    etag: str = ""


class Desk:
    """Reads the library and changes what people may change."""

    def __init__(self, jobs: Jobs, library: Library) -> None:
        self._jobs = jobs
        self._library = library

    async def job(self, job_id: UUID) -> tuple[Job, list[Analysis]]:
        """A job with its products."""
        found = await self._library.job(job_id)
        if found is None:
            raise refusals.job_not_found(f"jobs/{job_id}")
        return found

    async def jobs(
        self, state: State | None, after: NewestPlace | None, size: int
    ) -> Page[Job, NewestPlace]:
        """Jobs, newest first."""
        return await self._library.jobs(state, after, size)

    async def cancel(self, request: Request, job_id: UUID) -> Job:
        """End a job; cancelling what is cancelled answers the same."""
        async with self._jobs.transaction() as work:
            job, now = await work.lock(job_id), await work.now()
            if job is None:
                raise refusals.job_not_found(f"jobs/{job_id}")
            repeated = await first_answer(work, request) is not None
            if job.state is State.CANCELLED or repeated:
                return job
            if job.state.final:
                raise refusals.job_finished(job)
            await work.remember(request, b"")
            change = course.give_up(job, endings.cancelled(), now)
            return await work.save(change, attend_at=attention.after_change(change.job, now))

    async def picks(
        self, which: PickFilter, after: PickPlace | None, size: int
    ) -> Page[SavedPick, PickPlace]:
        """Picks in listing order; those of a job that never was are refused."""
        found = await self._library.picks(which, after, size)
        if which.job_id is not None and not (found.items or found.unreadable):
            await self.job(which.job_id)
        return found

    async def decide(self, request: Request, pick_id: UUID, decision: Decision) -> SavedPick:
        """Store what a reseller decided about a pick; repeated, give the first answer."""
        async with self._jobs.transaction() as work:
            saved, now = await work.lock_pick(pick_id), await work.now()
            if saved is None:
                raise refusals.pick_not_found(f"picks/{pick_id}")
            answer = await first_answer(work, request)
            if answer is not None:
                return msgspec.json.decode(answer, type=SavedPick)
            if decision.etag not in ("", str(saved.revision)):
                raise refusals.etag_mismatch("pick", str(saved.revision))
            saved = replace(
                saved,
                action=saved.action if decision.action is None else decision.action,
                notes=saved.notes if decision.notes is None else decision.notes,
                updated_at=now,
                revision=saved.revision + 1,
            )
            await work.save_pick(saved)
            await work.remember(request, msgspec.json.encode(saved))
            return saved

    async def export(self, which: PickFilter) -> AsyncIterator[list[exports.Line]]:
        """All picks that match, in listing order, page by page."""
        after: PickPlace | None = None
        while True:
            page = await self._library.picks(which, after, _EXPORT_PAGE)
            yield [exports.Line(saved.pick, saved.action, saved.notes) for saved in page.items]
            after = page.next_place
            if after is None:
                return

    async def stats(self, since: datetime | None, until: datetime | None) -> Stats:
        """Sums over the jobs made in a time."""
        return await self._library.stats(since, until)
