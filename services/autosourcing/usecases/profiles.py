"""What people do with profiles: save, read, change and delete them."""

from collections.abc import Callable
from dataclasses import replace

import msgspec

from services.autosourcing.domain import refusals
from services.autosourcing.domain.spec import Profile
from services.autosourcing.ports import Jobs, Library, Page, Request, Rota
from services.autosourcing.usecases.repeats import first_answer, repeated


class Profiles:
    """Keeps the profiles; a job takes their values when it is made and never looks again."""

    def __init__(self, jobs: Jobs, library: Library, rota: Rota) -> None:
        self._jobs = jobs
        self._library = library
        self._rota = rota

    async def create(self, request: Request, profile: Profile) -> Profile:
        """Save a new profile, made now; repeated, give the first answer.

        The request is bound first: a repetition that races with it waits there, and then
        finds the answer and not a profile that seems to be somebody else's.
        """
        async with self._jobs.transaction() as work:
            profile = replace(profile, created_at=await work.now())
            if not await work.remember(request, msgspec.json.encode(profile)):
                return await repeated(work, request, Profile) or profile
            if not await work.add_profile(profile):
                raise refusals.profile_already_exists(f"profiles/{profile.id}")
            return profile

    async def read(self, profile_id: str) -> Profile:
        """A saved profile."""
        async with self._jobs.transaction() as work:
            found = await work.profile(profile_id)
        if found is None:
            raise refusals.profile_not_found(f"profiles/{profile_id}")
        return found

    async def page(self, after: str, size: int) -> Page[Profile, str]:
        """Profiles by id."""
        return await self._library.profiles(after, size)

    async def update(
        self,
        request: Request,
        profile_id: str,
        change: Callable[[Profile], Profile],
        *,
        etag: str = "",
    ) -> Profile:
        """Change a profile; repeated, give the first answer, even when it is gone by now."""
        async with self._jobs.transaction() as work:
            found, now = await work.lock_profile(profile_id), await work.now()
            if known := await repeated(work, request, Profile):
                return known
            found = _present(found, profile_id, etag)
            changed = replace(change(found), updated_at=now, revision=found.revision + 1)
            await work.save_profile(changed)
            await work.remember(request, msgspec.json.encode(changed))
            return changed

    async def delete(self, request: Request, profile_id: str, *, etag: str = "") -> None:
        """Delete a profile that no schedule names; repeated, it is gone all the same.

        Who makes a schedule locks its profile too, so none appears in between.
        """
        async with self._rota.transaction() as work:
            found = await work.lock_profile(profile_id)
            if await first_answer(work, request) is not None:
                return
            _present(found, profile_id, etag)
            user = await work.schedule_of(profile_id)
            if user is not None:
                raise refusals.profile_in_use(f"profiles/{profile_id}", f"schedules/{user}")
            await work.remove_profile(profile_id)
            await work.remember(request, b"")


def _present(found: Profile | None, profile_id: str, etag: str) -> Profile:
    """The profile that is there, and is the one that was read."""
    if found is None:
        raise refusals.profile_not_found(f"profiles/{profile_id}")
    if etag not in ("", found.etag):
        raise refusals.etag_mismatch("profile", found.etag)
    return found
