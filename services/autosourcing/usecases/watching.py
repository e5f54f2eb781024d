"""Streams a job to a watcher: its state first, then every change in order, until it has ended."""

from collections.abc import AsyncIterator
from uuid import UUID

from services.autosourcing.domain import refusals
from services.autosourcing.ports import Changes, Library, Moment
from services.chassis.errors import invalid_field

MOST_BEHIND = 1000
LONGEST_SLEEP_SECONDS = 2.0


class Watching:
    """Reads from the database only, so a watcher costs no memory between its reads."""

    def __init__(self, library: Library, changes: Changes, most_behind: int = MOST_BEHIND) -> None:
        self._library = library
        self._changes = changes
        self._most_behind = most_behind

    async def watch(self, job_id: UUID, after: int) -> AsyncIterator[Moment]:
        """Follow a job; ``after`` resumes behind that change.

        Raises:
            Refusal: There is no such job or change, or the reader fell too far behind.
        """
        async with self._changes.heard() as ear:
            moment = await self._first(job_id, after)
            yield moment
            seen, catching_up = moment.job.sequence, True
            while True:
                moments = await self._library.moments(job_id, seen, self._most_behind + 1)
                if len(moments) > self._most_behind and not catching_up:
                    raise refusals.slow_reader(self._most_behind)
                catching_up = len(moments) > self._most_behind
                for moment in moments:
                    yield moment
                    seen = moment.job.sequence
                if moment.job.finished and not catching_up:
                    return
                if not catching_up:
                    await ear.wait(LONGEST_SLEEP_SECONDS)

    async def _first(self, job_id: UUID, after: int) -> Moment:
        moment = await self._library.snapshot(job_id, after or None)
        if moment is not None:
            return moment
        if await self._library.job(job_id) is None:
            raise refusals.job_not_found(f"jobs/{job_id}")
        raise invalid_field("after_sequence", "the job has no such change")
