"""The methods of AutoSourcingService about picks."""
# ruff: noqa: ARG002 - the signatures are the contract's

from collections.abc import AsyncIterator

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import requests, requests_pages, responses_jobs
from services.autosourcing.domain import exports
from services.autosourcing.usecases.desk import Decision, Desk
from services.chassis.clock import Clock
from services.chassis.files import forms
from services.chassis.rpc.call import Context


class PickMethods:
    """The part of the servicer that answers about picks."""

    _desk: Desk
    _clock: Clock

    async def ListPicks(
        self, request: pb.ListPicksRequest, context: Context
    ) -> pb.ListPicksResponse:
        """List picks."""
        size = requests_pages.size(request.page_size)
        after = requests_pages.pick_place(request, request.page_token)
        page = await self._desk.picks(requests.pick_filter(request), after, size)
        return pb.ListPicksResponse(
            picks=[responses_jobs.pick(each) for each in page.items],
            next_page_token=requests_pages.pick_token(request, page.next_place),
            unreachable=page.unreadable,
        )

    async def UpdatePick(
        self, request: pb.UpdatePickRequest, context: Context
    ) -> pb.UpdatePickResponse:
        """Store what a reseller decided."""
        decision = Decision(
            action=requests.action(request.action),
            notes=request.notes if request.HasField("notes") else None,
            etag=request.etag,
        )
        asked = requests.request("UpdatePick", request)
        saved = await self._desk.decide(asked, requests.identity(request.name), decision)
        return pb.UpdatePickResponse(pick=responses_jobs.pick(saved))

    async def ExportPicks(
        self, request: pb.ExportPicksRequest, context: Context
    ) -> AsyncIterator[pb.ExportPicksResponse]:
        """Stream a file; its first piece says what it is and is never missing."""
        wanted = requests.pick_filter(request)
        if wanted.job_id is not None:
            await self._desk.job(wanted.job_id)
        form = requests.form(request.format)
        yield pb.ExportPicksResponse(
            content_type=form.media_type, file_name=form.file_name("picks", self._clock.now())
        )
        rows = forms.rows(self._desk.export(wanted), exports.values)
        async for piece in form.pieces(exports.NAMES, rows):
            yield pb.ExportPicksResponse(content=piece)
