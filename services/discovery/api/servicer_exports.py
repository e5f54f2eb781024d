"""The methods of DiscoveryService that hand out files."""

from collections.abc import AsyncIterator

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.errors import invalid_field
from services.chassis.files import forms
from services.chassis.files.cells import Row
from services.chassis.rpc.call import Context
from services.discovery.api import requests
from services.discovery.domain import exports
from services.discovery.usecases.exporting import Exporter

_FORMS = {
    pb.EXPORT_FORMAT_CSV: forms.CSV,
    pb.EXPORT_FORMAT_JSON_LINES: forms.JSON_LINES,
    pb.EXPORT_FORMAT_XLSX: forms.XLSX,
}


class ExportMethods:
    """The part of the servicer that hands out files."""

    _exporter: Exporter

    async def ExportSearch(
        self, request: pb.ExportSearchRequest, _: Context
    ) -> AsyncIterator[pb.ExportSearchResponse]:
        """Stream a file; its first piece says what it is and is never missing."""
        form = _FORMS.get(request.format)
        if form is None:
            raise invalid_field("format", "must be CSV, JSON_LINES or XLSX")
        search = await self._exporter.search(requests.identity(request.name))
        yield pb.ExportSearchResponse(
            content_type=form.media_type,
            file_name=f"search-{search.created_at:%Y-%m-%d}.{form.ending}",
        )
        async for piece in form.pieces(exports.NAMES, _rows(self._exporter.lines(search.id))):
            yield pb.ExportSearchResponse(content=piece)


async def _rows(pages: AsyncIterator[list[exports.Line]]) -> AsyncIterator[list[Row]]:
    async for page in pages:
        yield [exports.values(line) for line in page]
