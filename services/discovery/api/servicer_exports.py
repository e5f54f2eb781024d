"""The methods of DiscoveryService that hand out files."""

from collections.abc import AsyncIterator

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.files import forms
from services.chassis.rpc.call import Context
from services.discovery.api import requests
from services.discovery.domain import exports
from services.discovery.usecases.exporting import Exporter


class ExportMethods:
    """The part of the servicer that hands out files."""

    _exporter: Exporter

    async def ExportSearch(
        self, request: pb.ExportSearchRequest, _: Context
    ) -> AsyncIterator[pb.ExportSearchResponse]:
        """Stream a file; its first piece says what it is and is never missing."""
        form = requests.form(request.format)
        search = await self._exporter.search(requests.identity(request.name))
        yield pb.ExportSearchResponse(
            content_type=form.media_type,
            file_name=form.file_name("search", search.created_at),
        )
        rows = forms.rows(self._exporter.lines(search.id), exports.values)
        async for piece in form.pieces(exports.NAMES, rows):
            yield pb.ExportSearchResponse(content=piece)
