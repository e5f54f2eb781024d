"""AutoSourcingService over gRPC: translates and asks, decides nothing itself."""
# ruff: noqa: ARG002 - the signatures are the contract's

from collections.abc import AsyncIterator

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.autosourcing.v1 import autosourcing_pb2_grpc

from services.autosourcing.api import (
    requests,
    requests_imports,
    requests_pages,
    requests_specs,
    responses_imports,
    responses_jobs,
)
from services.autosourcing.api.servicer_picks import PickMethods
from services.autosourcing.api.servicer_profiles import ProfileMethods
from services.autosourcing.api.servicer_reviews import ReviewMethods
from services.autosourcing.api.servicer_schedules import ScheduleMethods
from services.autosourcing.domain.limits import Limits
from services.autosourcing.usecases.desk import Desk
from services.autosourcing.usecases.launching import Launching
from services.autosourcing.usecases.planning import Planning
from services.autosourcing.usecases.profiles import Profiles
from services.autosourcing.usecases.reviewing import Reviewing
from services.autosourcing.usecases.schedules import Schedules
from services.autosourcing.usecases.watching import Watching
from services.chassis.clock import Clock
from services.chassis.rpc.call import Context, current_call


class AutoSourcingServicer(
    PickMethods,
    ProfileMethods,
    ScheduleMethods,
    ReviewMethods,
    autosourcing_pb2_grpc.AutoSourcingServiceServicer,
):
    """Translates between the contract and the use cases; decides nothing itself."""

    def __init__(
        self,
        *,
        planning: Planning,
        launching: Launching,
        watching: Watching,
        desk: Desk,
        profiles: Profiles,
        schedules: Schedules,
        reviewing: Reviewing,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._planning = planning
        self._launching = launching
        self._watching = watching
        self._desk = desk
        self._profiles = profiles
        self._schedules = schedules
        self._reviewing = reviewing
        self._limits = limits
        self._clock = clock

    async def EstimateJob(
        self, request: pb.EstimateJobRequest, context: Context
    ) -> pb.EstimateJobResponse:
        """Price a job."""
        forecast = await self._planning.forecast(requests_specs.spec(request.spec))
        return responses_jobs.forecast(forecast, self._limits, self._clock.now())

    async def CreateJob(
        self, request: pb.CreateJobRequest, context: Context
    ) -> pb.CreateJobResponse:
        """Make a job and start it."""
        job = await self._launching.create(
            requests.request("CreateJob", request, leave_out=("max_wait_duration",)),
            requests_specs.spec(request.spec),
            caller=current_call().caller,
            wait=request.max_wait_duration.ToTimedelta(),
        )
        return pb.CreateJobResponse(job=responses_jobs.job(job, self._clock.now()))

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:
        """Read a job with its products."""
        job, products = await self._desk.job(requests.identity(request.name))
        return pb.GetJobResponse(job=responses_jobs.job(job, self._clock.now(), products))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        """List jobs."""
        size = requests_pages.size(request.page_size)
        after = requests_pages.newest_place(request, request.page_token)
        page = await self._desk.jobs(requests.state(request.state), after, size)
        now = self._clock.now()
        return pb.ListJobsResponse(
            jobs=[responses_jobs.job(job, now) for job in page.items],
            next_page_token=requests_pages.newest_token(request, page.next_place),
            unreachable=page.unreadable,
        )

    async def WatchJob(
        self, request: pb.WatchJobRequest, context: Context
    ) -> AsyncIterator[pb.WatchJobResponse]:
        """Follow a job."""
        job_id = requests.identity(request.name)
        async for moment in self._watching.watch(job_id, request.after_sequence):
            yield responses_jobs.moment(moment)

    async def CancelJob(
        self, request: pb.CancelJobRequest, context: Context
    ) -> pb.CancelJobResponse:
        """End a job."""
        job = await self._desk.cancel(
            requests.request("CancelJob", request), requests.identity(request.name)
        )
        return pb.CancelJobResponse(job=responses_jobs.job(job, self._clock.now()))

    async def ImportIdentifiers(
        self, request: pb.ImportIdentifiersRequest, context: Context
    ) -> pb.ImportIdentifiersResponse:
        """Read a file of identifiers."""
        return responses_imports.identifiers(await requests_imports.read(request))

    async def GetJobStats(
        self, request: pb.GetJobStatsRequest, context: Context
    ) -> pb.GetJobStatsResponse:
        """Sum over jobs."""
        since = requests.instant(request, "start_time")
        until = requests.instant(request, "end_time")
        return responses_jobs.stats(await self._desk.stats(since, until))
