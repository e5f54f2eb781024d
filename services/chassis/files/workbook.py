"""A table as a workbook of Excel, written to disk in a thread and streamed from there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TypeVar

import xlsxwriter  # type: ignore[import-untyped]  # it ships no types

from services.chassis.files.cells import Row, Value

PIECE_BYTES = 64 * 1024
# The most that Excel takes: lines of a sheet, characters of a cell.
_SHEET_LINES = 1_048_576
_CELL_CHARACTERS = 32_767

T = TypeVar("T")


class Workbook:
    """A workbook in a file; only the line that is being written is kept in memory.

    Texts are written as texts, never as formulas, links or numbers, so an ASIN keeps its
    zeros and a title is not run; their style keeps it so when somebody edits the cell.
    """

    def __init__(
        self, path: Path, names: Sequence[str], *, sheet_lines: int = _SHEET_LINES
    ) -> None:
        options = {"constant_memory": True, "tmpdir": str(path.parent)}
        self._book: Any = xlsxwriter.Workbook(str(path), options)
        self._heading = self._book.add_format({"bold": True})
        self._text = self._book.add_format({"num_format": "@", "quote_prefix": True})
        self._amount = self._book.add_format({"num_format": "0.00"})
        self._names = names
        self._sheet_lines = sheet_lines
        self._sheet: Any = None
        self._line = 0
        self._open_sheet()

    def add(self, rows: Iterable[Row]) -> None:
        """Write one line for each row; what a sheet cannot take goes on to the next one."""
        for row in rows:
            if self._line == self._sheet_lines:
                self._open_sheet()
            for column, value in enumerate(row):
                self._write(column, value)
            self._line += 1

    def close(self) -> None:
        """Finish the file."""
        self._book.close()

    def _open_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        for column, name in enumerate(self._names):
            self._sheet.write_string(0, column, name, self._heading)
        self._line = 1

    def _write(self, column: int, value: Value) -> None:
        if value is None:
            return
        if isinstance(value, str):
            text = str(value)[:_CELL_CHARACTERS]
            self._sheet.write_string(self._line, column, text, self._text)
        elif isinstance(value, Decimal):
            self._sheet.write_number(self._line, column, float(value), self._amount)
        else:
            self._sheet.write_number(self._line, column, value)


async def content(
    names: Sequence[str], pages: AsyncIterator[Sequence[Row]]
) -> AsyncIterator[bytes]:
    """The workbook in pieces; a workbook cannot be read before its last line is written."""
    with TemporaryDirectory(prefix="avault-file-") as folder:
        path = Path(folder, "table.xlsx")
        book = await _in_thread(lambda: Workbook(path, names))
        try:
            async for page in pages:
                await _in_thread(lambda page=page: book.add(page))  # type: ignore[misc]
        finally:
            await _in_thread(book.close)
        with await _in_thread(lambda: path.open("rb")) as file:
            while piece := await _in_thread(lambda: _read(file)):
                yield piece


def _read(file: BinaryIO) -> bytes:
    return file.read(PIECE_BYTES)


async def _in_thread(work: Callable[[], T]) -> T:
    """Do it beside the loop; a caller that leaves waits for it, so no file is lost sight of."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
