"""What people do with schedules: make, read, change and delete them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid5

import msgspec

from services.autosourcing.domain import refusals
from services.autosourcing.domain.schedule import DecidedSlot, Schedule, look, sound
from services.autosourcing.ports import NewestPlace, Page, Request, Rota, RotaWork
from services.autosourcing.usecases.repeats import first_answer, repeated
from services.chassis.errors import invalid_field

_NAMESPACE = UUID("6c9ad6f5-5d5b-5a0c-9d6e-7c0a1a5b9c44")
_SLOTS_SHOWN = 50

Change = Callable[[Schedule], Schedule]


class Schedules:
    """Keeps the schedules; what has been decided of a slot never changes with them."""

    def __init__(self, rota: Rota) -> None:
        self._rota = rota

    async def create(self, request: Request, draft: Schedule) -> Schedule:
        """Make a schedule whose slots begin now; repeated, give the first answer."""
        async with self._rota.transaction() as work:
            now = await work.now()
            made = replace(
                draft,
                id=uuid5(_NAMESPACE, str(request.id)),
                created_at=now,
                looked_until=now,
            )
            if not await work.remember(request, msgspec.json.encode(made)):
                return await repeated(work, request, Schedule) or made
            await _check(work, made)
            await work.add_schedule(made)
            return made

    async def read(self, schedule_id: UUID) -> tuple[Schedule, list[DecidedSlot]]:
        """A schedule with its newest slots, the newest first."""
        found = await self._rota.schedule(schedule_id, _SLOTS_SHOWN)
        if found is None:
            raise refusals.schedule_not_found(f"schedules/{schedule_id}")
        return found

    async def page(self, after: NewestPlace | None, size: int) -> Page[Schedule, NewestPlace]:
        """Schedules, newest first."""
        return await self._rota.schedules(after, size)

    async def update(
        self, request: Request, schedule_id: UUID, change: Change, *, etag: str = ""
    ) -> Schedule:
        """Change a schedule; slots that have come by now are decided as it was before."""
        async with self._rota.transaction() as work:
            found, now = await work.lock_schedule(schedule_id), await work.now()
            if known := await repeated(work, request, Schedule):
                return known
            found = await look_at(work, _present(found, schedule_id, etag), now)
            changed = replace(sound(change(found)), updated_at=now, revision=found.revision + 1)
            await _check(work, changed)
            await work.save_schedule(changed)
            await work.remember(request, msgspec.json.encode(changed))
            return changed

    async def delete(self, request: Request, schedule_id: UUID, *, etag: str = "") -> None:
        """Delete a schedule with its slots; repeated, it is gone all the same."""
        async with self._rota.transaction() as work:
            found = await work.lock_schedule(schedule_id)
            if await first_answer(work, request) is not None:
                return
            _present(found, schedule_id, etag)
            await work.remove_schedule(schedule_id)
            await work.remember(request, b"")


async def look_at(work: RotaWork, schedule: Schedule, now: datetime) -> Schedule:
    """Decide every slot that has come, and return the schedule as it is stored then.

    One with a problem is stored with it; its slots wait, and those of others do not.
    """
    while schedule.looked_until < now:
        schedule, decisions = look(schedule, now)
        await work.add_slots(schedule.id, decisions, now)
        if schedule.problem:
            break
    await work.save_schedule(schedule)
    return schedule


async def _check(work: RotaWork, schedule: Schedule) -> None:
    """See that its jobs have something to look for; who deletes the profile waits for us."""
    spec = schedule.spec
    if spec.criteria is None and not spec.items and not spec.profile:
        raise invalid_field("schedule.spec", "needs a filter, a profile or identifiers")
    if spec.profile and await work.lock_profile(spec.profile) is None:
        raise refusals.profile_not_found(f"profiles/{spec.profile}")


def _present(found: Schedule | None, schedule_id: UUID, etag: str) -> Schedule:
    """The schedule that is there, and is the one that was read."""
    if found is None:
        raise refusals.schedule_not_found(f"schedules/{schedule_id}")
    if etag not in ("", found.etag):
        raise refusals.etag_mismatch("schedule", found.etag)
    return found
