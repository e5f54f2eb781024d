"""Files of picks, cut into the pieces of a stream."""

from collections.abc import AsyncIterator
from datetime import datetime

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.domain import exports
from services.chassis.errors import invalid_field

PIECE_BYTES = 64 * 1024


async def pieces(
    chosen: pb.ExportFormat.ValueType, pages: AsyncIterator[list[exports.Line]], now: datetime
) -> AsyncIterator[pb.ExportPicksResponse]:
    """The file in pieces of at most 64 KiB; the first says what it is and is never missing."""
    header, render, media_type, ending = _format(chosen)
    first = pb.ExportPicksResponse(
        content=header.encode(),
        content_type=media_type,
        file_name=f"picks-{now:%Y-%m-%d}.{ending}",
    )
    yield first
    async for page in pages:
        content = render(page).encode()
        for start in range(0, len(content), PIECE_BYTES):
            yield pb.ExportPicksResponse(content=content[start : start + PIECE_BYTES])


def _format(chosen: pb.ExportFormat.ValueType) -> tuple[str, exports.Render, str, str]:
    if chosen == pb.EXPORT_FORMAT_CSV:
        return exports.csv_header(), exports.csv_lines, "text/csv; charset=utf-8", "csv"
    if chosen == pb.EXPORT_FORMAT_JSON_LINES:
        return "", exports.json_lines, "application/jsonl; charset=utf-8", "jsonl"
    raise invalid_field("format", "is not offered here; choose CSV or JSON_LINES")
