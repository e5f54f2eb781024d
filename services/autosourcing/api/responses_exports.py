"""Files of picks, cut into the pieces of a stream."""

from collections.abc import AsyncIterator
from datetime import datetime

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.domain import exports
from services.chassis.errors import invalid_field
from services.chassis.files import forms
from services.chassis.files.cells import Row

Pages = AsyncIterator[list[exports.Line]]


_FORMS = {
    pb.EXPORT_FORMAT_CSV: forms.CSV,
    pb.EXPORT_FORMAT_JSON_LINES: forms.JSON_LINES,
    pb.EXPORT_FORMAT_XLSX: forms.XLSX,
}


async def pieces(
    chosen: pb.ExportFormat.ValueType, pages: Pages, now: datetime
) -> AsyncIterator[pb.ExportPicksResponse]:
    """The file in pieces of at most 64 KiB; the first says what it is and is never missing."""
    form = _FORMS.get(chosen)
    if form is None:
        raise invalid_field("format", "must be CSV, JSON_LINES or XLSX")
    yield pb.ExportPicksResponse(
        content_type=form.media_type, file_name=f"picks-{now:%Y-%m-%d}.{form.ending}"
    )
    async for piece in form.pieces(exports.NAMES, _rows(pages)):
        yield pb.ExportPicksResponse(content=piece)


async def _rows(pages: Pages) -> AsyncIterator[list[Row]]:
    async for page in pages:
        yield [exports.values(line) for line in page]
