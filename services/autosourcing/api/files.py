"""Files of picks, cut into the pieces of a stream."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import workbook
from services.autosourcing.domain import exports
from services.chassis.errors import invalid_field

PIECE_BYTES = 64 * 1024

Pages = AsyncIterator[list[exports.Line]]


@dataclass(frozen=True)
class _Form:
    """How a file is written, and what it is called."""

    ending: str
    media_type: str
    content: Callable[[Pages], AsyncIterator[bytes]]


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
    async for content in form.content(pages):
        for start in range(0, len(content), PIECE_BYTES):
            yield pb.ExportPicksResponse(content=content[start : start + PIECE_BYTES])


async def _csv(pages: Pages) -> AsyncIterator[bytes]:
    yield exports.csv_header().encode()
    async for page in pages:
        yield exports.csv_lines(page).encode()


async def _json_lines(pages: Pages) -> AsyncIterator[bytes]:
    async for page in pages:
        yield exports.json_lines(page).encode()


_FORMS = {
    pb.EXPORT_FORMAT_CSV: _Form("csv", "text/csv; charset=utf-8", _csv),
    pb.EXPORT_FORMAT_JSON_LINES: _Form("jsonl", "application/jsonl; charset=utf-8", _json_lines),
    pb.EXPORT_FORMAT_XLSX: _Form(
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        workbook.content,
    ),
}
