"""The methods of AutoSourcingService about schedules."""
# ruff: noqa: ARG002 - the signatures are the contract's

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import (
    requests,
    requests_pages,
    requests_schedules,
    responses_schedules,
)
from services.autosourcing.usecases.schedules import Schedules
from services.chassis.clock import Clock
from services.chassis.rpc.call import Context, current_call


class ScheduleMethods:
    """The part of the servicer that answers about schedules."""

    _schedules: Schedules
    _clock: Clock

    async def CreateSchedule(
        self, request: pb.CreateScheduleRequest, context: Context
    ) -> pb.CreateScheduleResponse:
        """Make a schedule."""
        asked = requests.request("CreateSchedule", request)
        made = await self._schedules.create(
            asked, requests_schedules.new(request, current_call().caller)
        )
        return pb.CreateScheduleResponse(
            schedule=responses_schedules.schedule(made, self._clock.now())
        )

    async def GetSchedule(
        self, request: pb.GetScheduleRequest, context: Context
    ) -> pb.GetScheduleResponse:
        """Read a schedule with its newest slots."""
        found, slots = await self._schedules.read(requests.identity(request.name))
        return pb.GetScheduleResponse(
            schedule=responses_schedules.schedule(found, self._clock.now(), slots)
        )

    async def ListSchedules(
        self, request: pb.ListSchedulesRequest, context: Context
    ) -> pb.ListSchedulesResponse:
        """List schedules."""
        size = requests_pages.size(request.page_size)
        after = requests_pages.newest_place(request, request.page_token)
        page = await self._schedules.page(after, size)
        now = self._clock.now()
        return pb.ListSchedulesResponse(
            schedules=[responses_schedules.schedule(each, now) for each in page.items],
            next_page_token=requests_pages.newest_token(request, page.next_place),
            unreachable=page.unreadable,
        )

    async def UpdateSchedule(
        self, request: pb.UpdateScheduleRequest, context: Context
    ) -> pb.UpdateScheduleResponse:
        """Change a schedule."""
        saved = await self._schedules.update(
            requests.request("UpdateSchedule", request),
            requests.identity(request.schedule.name, "schedule.name"),
            requests_schedules.change(request),
            etag=request.schedule.etag,
        )
        return pb.UpdateScheduleResponse(
            schedule=responses_schedules.schedule(saved, self._clock.now())
        )

    async def DeleteSchedule(
        self, request: pb.DeleteScheduleRequest, context: Context
    ) -> pb.DeleteScheduleResponse:
        """Delete a schedule."""
        asked = requests.request("DeleteSchedule", request)
        await self._schedules.delete(asked, requests.identity(request.name), etag=request.etag)
        return pb.DeleteScheduleResponse()
