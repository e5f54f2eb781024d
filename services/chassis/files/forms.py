"""The forms a table can leave in, each cut into the pieces of a stream."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from services.chassis.files import cells, workbook
from services.chassis.files.cells import Row

PIECE_BYTES = 64 * 1024

Line = TypeVar("Line")
Names = Sequence[str]
Pages = AsyncIterator[Sequence[Row]]


@dataclass(frozen=True)
class Form:
    """How a table is written, and what its file is called."""

    ending: str
    media_type: str
    content: Callable[[Names, Pages], AsyncIterator[bytes]]

    def file_name(self, what: str, day: datetime) -> str:
        """Name a file of ``what`` as it was on a day."""
        return f"{what}-{day:%Y-%m-%d}.{self.ending}"

    async def pieces(self, names: Names, pages: Pages) -> AsyncIterator[bytes]:
        """Write the file in pieces of at most 64 KiB, a page of rows at a time."""
        async for content in self.content(names, pages):
            for start in range(0, len(content), PIECE_BYTES):
                yield content[start : start + PIECE_BYTES]


async def rows(
    pages: AsyncIterator[Sequence[Line]], values: Callable[[Line], Row]
) -> AsyncIterator[Sequence[Row]]:
    """Give pages of lines as rows: what each line says in each column."""
    async for page in pages:
        yield [values(line) for line in page]


async def _csv(names: Names, pages: Pages) -> AsyncIterator[bytes]:
    yield cells.csv_header(names).encode()
    async for page in pages:
        yield cells.csv_lines(page).encode()


async def _json_lines(names: Names, pages: Pages) -> AsyncIterator[bytes]:
    async for page in pages:
        yield cells.json_lines(names, page).encode()


CSV = Form("csv", "text/csv; charset=utf-8", _csv)
JSON_LINES = Form("jsonl", "application/jsonl; charset=utf-8", _json_lines)
XLSX = Form(
    "xlsx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    workbook.content,
)
FORMS = {"CSV": CSV, "JSON_LINES": JSON_LINES, "XLSX": XLSX}
"""Each form by its word in the contracts."""
