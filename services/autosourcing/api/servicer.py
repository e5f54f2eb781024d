"""AutoSourcingService over gRPC: translates and asks, decides nothing itself."""

# ruff: noqa: ARG002 - the signatures are the contract's

import hashlib
from collections.abc import AsyncIterator
from uuid import UUID

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.autosourcing.v1 import autosourcing_pb2_grpc
from google.protobuf.message import Message

from services.autosourcing.api import (
    files,
    imports,
    pages,
    profiles,
    reviews,
    schedules,
    specs,
    translate,
    words,
)
from services.autosourcing.domain import review
from services.autosourcing.domain.limits import Limits
from services.autosourcing.ports import PickFilter, Request
from services.autosourcing.usecases.desk import Decision, Desk, place
from services.autosourcing.usecases.launching import Launching
from services.autosourcing.usecases.planning import Planning
from services.autosourcing.usecases.profiles import Profiles
from services.autosourcing.usecases.reviewing import Reviewing
from services.autosourcing.usecases.schedules import Schedules
from services.autosourcing.usecases.watching import Watching
from services.chassis.clock import Clock
from services.chassis.errors import invalid_field
from services.chassis.rpc.call import Context, current_call


class AutoSourcingServicer(autosourcing_pb2_grpc.AutoSourcingServiceServicer):
    """The contract's methods."""

    def __init__(
        self,
        *,
        planning: Planning,
        launching: Launching,
        watching: Watching,
        desk: Desk,
        shelf: Profiles,
        rota: Schedules,
        reviewing: Reviewing,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._planning = planning
        self._launching = launching
        self._watching = watching
        self._desk = desk
        self._profiles = shelf
        self._schedules = rota
        self._reviewing = reviewing
        self._limits = limits
        self._clock = clock

    async def EstimateJob(
        self, request: pb.EstimateJobRequest, context: Context
    ) -> pb.EstimateJobResponse:
        """Price a job."""
        forecast = await self._planning.forecast(specs.spec(request.spec))
        return translate.forecast(forecast, self._limits, self._clock.now())

    async def CreateJob(
        self, request: pb.CreateJobRequest, context: Context
    ) -> pb.CreateJobResponse:
        """Make a job and start it."""
        job = await self._launching.create(
            _request("CreateJob", request, leave_out=("max_wait_duration",)),
            specs.spec(request.spec),
            caller=current_call().caller,
            wait=request.max_wait_duration.ToTimedelta(),
        )
        return pb.CreateJobResponse(job=translate.job(job, self._clock.now()))

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:
        """Read a job with its products."""
        job, products = await self._desk.job(_id("name", request.name))
        return pb.GetJobResponse(job=translate.job(job, self._clock.now(), products))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        """List jobs."""
        size = pages.size(request.page_size)
        after = pages.newest_place(request, request.page_token)
        found = await self._desk.jobs(words.state_asked(request.state), after, size + 1)
        page, last = pages.cut(found, size)
        now = self._clock.now()
        return pb.ListJobsResponse(
            jobs=[translate.job(job, now) for job in page],
            next_page_token=pages.newest_token(request, last),
        )

    async def WatchJob(
        self, request: pb.WatchJobRequest, context: Context
    ) -> AsyncIterator[pb.WatchJobResponse]:
        """Follow a job."""
        job_id = _id("name", request.name)
        async for moment in self._watching.watch(job_id, request.after_sequence):
            yield translate.moment(moment)

    async def CancelJob(
        self, request: pb.CancelJobRequest, context: Context
    ) -> pb.CancelJobResponse:
        """End a job."""
        job = await self._desk.cancel(_request("CancelJob", request), _id("name", request.name))
        return pb.CancelJobResponse(job=translate.job(job, self._clock.now()))

    async def ListPicks(
        self, request: pb.ListPicksRequest, context: Context
    ) -> pb.ListPicksResponse:
        """List picks."""
        size = pages.size(request.page_size)
        after = pages.pick_place(request, request.page_token)
        found = await self._desk.picks(_filter(request), after, size + 1)
        page, last = pages.cut(found, size)
        token = ""
        if last is not None:
            at = place(last)
            token = pages.token(
                request, at.kind, at.sort_score, at.profit_cents, at.asin, str(at.id)
            )
        return pb.ListPicksResponse(
            picks=[translate.pick(each) for each in page], next_page_token=token
        )

    async def UpdatePick(
        self, request: pb.UpdatePickRequest, context: Context
    ) -> pb.UpdatePickResponse:
        """Store what a reseller decided."""
        decision = Decision(
            action=words.action_asked(request.action),
            notes=request.notes if request.HasField("notes") else None,
            etag=request.etag,
        )
        asked = _request("UpdatePick", request)
        saved = await self._desk.decide(asked, _id("name", request.name), decision)
        return pb.UpdatePickResponse(pick=translate.pick(saved))

    async def ExportPicks(
        self, request: pb.ExportPicksRequest, context: Context
    ) -> AsyncIterator[pb.ExportPicksResponse]:
        """Stream a file of picks."""
        wanted = _filter(request)
        if wanted.job_id is not None:
            await self._desk.job(wanted.job_id)
        lines = self._desk.export(wanted)
        async for piece in files.pieces(request.format, lines, self._clock.now()):
            yield piece

    async def ImportIdentifiers(
        self, request: pb.ImportIdentifiersRequest, context: Context
    ) -> pb.ImportIdentifiersResponse:
        """Read a file of identifiers."""
        return await imports.read(request)

    async def CreateProfile(
        self, request: pb.CreateProfileRequest, context: Context
    ) -> pb.CreateProfileResponse:
        """Save a profile."""
        asked = _request("CreateProfile", request)
        saved = await self._profiles.create(asked, profiles.new(request))
        return pb.CreateProfileResponse(profile=specs.profile(saved))

    async def GetProfile(
        self, request: pb.GetProfileRequest, context: Context
    ) -> pb.GetProfileResponse:
        """Read a profile."""
        found = await self._profiles.read(words.last_id(request.name))
        return pb.GetProfileResponse(profile=specs.profile(found))

    async def ListProfiles(
        self, request: pb.ListProfilesRequest, context: Context
    ) -> pb.ListProfilesResponse:
        """List profiles."""
        size = pages.size(request.page_size)
        after = pages.profile_place(request, request.page_token)
        page, last = pages.cut(await self._profiles.page(after, size + 1), size)
        return pb.ListProfilesResponse(
            profiles=[specs.profile(each) for each in page],
            next_page_token=pages.token(request, last.id) if last else "",
        )

    async def UpdateProfile(
        self, request: pb.UpdateProfileRequest, context: Context
    ) -> pb.UpdateProfileResponse:
        """Change a profile."""
        saved = await self._profiles.update(
            _request("UpdateProfile", request),
            words.last_id(request.profile.name),
            profiles.change(request),
            etag=request.profile.etag,
        )
        return pb.UpdateProfileResponse(profile=specs.profile(saved))

    async def DeleteProfile(
        self, request: pb.DeleteProfileRequest, context: Context
    ) -> pb.DeleteProfileResponse:
        """Delete a profile."""
        asked = _request("DeleteProfile", request)
        await self._profiles.delete(asked, words.last_id(request.name), etag=request.etag)
        return pb.DeleteProfileResponse()

    async def CreateSchedule(
        self, request: pb.CreateScheduleRequest, context: Context
    ) -> pb.CreateScheduleResponse:
        """Make a schedule."""
        asked = _request("CreateSchedule", request)
        made = await self._schedules.create(asked, schedules.new(request, current_call().caller))
        return pb.CreateScheduleResponse(schedule=schedules.schedule(made, self._clock.now()))

    async def GetSchedule(
        self, request: pb.GetScheduleRequest, context: Context
    ) -> pb.GetScheduleResponse:
        """Read a schedule with its newest slots."""
        found, slots = await self._schedules.read(_id("name", request.name))
        return pb.GetScheduleResponse(schedule=schedules.schedule(found, self._clock.now(), slots))

    async def ListSchedules(
        self, request: pb.ListSchedulesRequest, context: Context
    ) -> pb.ListSchedulesResponse:
        """List schedules."""
        size = pages.size(request.page_size)
        after = pages.newest_place(request, request.page_token)
        page, last = pages.cut(await self._schedules.page(after, size + 1), size)
        now = self._clock.now()
        return pb.ListSchedulesResponse(
            schedules=[schedules.schedule(each, now) for each in page],
            next_page_token=pages.newest_token(request, last),
        )

    async def UpdateSchedule(
        self, request: pb.UpdateScheduleRequest, context: Context
    ) -> pb.UpdateScheduleResponse:
        """Change a schedule."""
        saved = await self._schedules.update(
            _request("UpdateSchedule", request),
            _id("schedule.name", request.schedule.name),
            schedules.change(request),
            etag=request.schedule.etag,
        )
        return pb.UpdateScheduleResponse(schedule=schedules.schedule(saved, self._clock.now()))

    async def DeleteSchedule(
        self, request: pb.DeleteScheduleRequest, context: Context
    ) -> pb.DeleteScheduleResponse:
        """Delete a schedule."""
        asked = _request("DeleteSchedule", request)
        await self._schedules.delete(asked, _id("name", request.name), etag=request.etag)
        return pb.DeleteScheduleResponse()

    async def GetJobStats(
        self, request: pb.GetJobStatsRequest, context: Context
    ) -> pb.GetJobStatsResponse:
        """Sum over jobs."""
        since = words.instant(request, "start_time")
        until = words.instant(request, "end_time")
        return translate.stats(await self._desk.stats(since, until))

    async def GetDailyReview(
        self, request: pb.GetDailyReviewRequest, context: Context
    ) -> pb.GetDailyReviewResponse:
        """List the picks of a day in their classes."""
        day, wanted = reviews.day(request, self._clock.now()), reviews.asked(request.review_class)
        last = pages.review_place(request, request.page_token)
        found = await self._reviewing.day(day.start, day.end)
        listed = [each for each in found if wanted in (None, each.review_class)]
        page, end = pages.cut(reviews.behind(listed, last), pages.size(request.page_size))
        saved = await self._reviewing.saved([each.sighting.pick.id for each in page])
        return pb.GetDailyReviewResponse(
            date=day.name,
            classes=reviews.counts(found),
            picks=reviews.picks(page, saved),
            next_page_token=pages.token(request, str(end.sighting.pick.id)) if end else "",
        )

    async def GetOpportunityOfTheDay(
        self, request: pb.GetOpportunityOfTheDayRequest, context: Context
    ) -> pb.GetOpportunityOfTheDayResponse:
        """Name the best pick of a day."""
        day = reviews.day(request, self._clock.now())
        found = await self._reviewing.day(day.start, day.end)
        best = review.opportunity(found)
        chosen = [best] if best else []
        saved = await self._reviewing.saved([each.sighting.pick.id for each in chosen])
        shown = reviews.picks(chosen, saved)
        return pb.GetOpportunityOfTheDayResponse(
            date=day.name,
            opportunity=shown[0] if shown else None,
            message=reviews.message(best, found, day.name),
        )


def _request(method: str, message: Message, leave_out: tuple[str, ...] = ()) -> Request:
    """The request as it is remembered: its id, and a digest of everything else."""
    content = type(message)()
    content.CopyFrom(message)
    for name in ("request_id", *leave_out):
        content.ClearField(name)
    digest = hashlib.sha256(method.encode() + content.SerializeToString(deterministic=True))
    return Request(_id("request_id", getattr(message, "request_id")), digest.digest())  # noqa: B009


def _filter(request: pb.ListPicksRequest | pb.ExportPicksRequest) -> PickFilter:
    return PickFilter(
        job_id=_id("job", request.job) if request.job else None,
        action=words.action_asked(request.action),
    )


def _id(field: str, name: str) -> UUID:
    try:
        return UUID(words.last_id(name))
    except ValueError:
        raise invalid_field(field, "does not hold a UUID") from None
