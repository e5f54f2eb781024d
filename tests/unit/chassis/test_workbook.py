"""Workbooks: what Excel does with the texts of strangers."""

import asyncio
import io
import re
import tempfile
import zipfile
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from services.chassis.files import workbook
from services.chassis.files.cells import Row

pytestmark = pytest.mark.anyio

NAMES = ("asin", "title", "sell_price", "sales_rank", "notes")
_CELL = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}c"


def line(title: str = "A book", asin: str = "0070820942") -> Row:
    return [asin, title, Decimal("42.05"), 95_000, None]


async def pages(*given: list[Row]) -> AsyncIterator[list[Row]]:
    for page in given:
        yield page


async def written(*given: list[Row]) -> zipfile.ZipFile:
    whole = b"".join([piece async for piece in workbook.content(NAMES, pages(*given))])
    return zipfile.ZipFile(io.BytesIO(whole))


def cells(book: zipfile.ZipFile, sheet: int = 1) -> dict[str, tuple[str, str]]:
    """Kind and content of each cell, by its place."""
    tree = ET.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    return {
        cell.attrib["r"]: (cell.attrib.get("t", "n"), "".join(cell.itertext()))
        for cell in tree.iter(_CELL)
    }


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_an_asin_is_a_text_and_money_a_number() -> None:
    """A9: a book's zeros in front belong to its ASIN; sums are made of numbers."""
    found = cells(await written([line()]))
    price = chr(ord("A") + NAMES.index("sell_price"))

    assert found["A2"] == ("inlineStr", "0070820942")
    assert found[f"{price}2"] == ("n", "42.05")
    assert "E2" not in found


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "{=", "http://", "internal:"])
async def test_no_text_of_a_stranger_runs_or_links(start: str) -> None:
    """Titles come from anybody who lists a product on Amazon."""
    book = await written([line(title=f"{start}cmd|' /C calc'!A0")])

    sheet = book.read("xl/worksheets/sheet1.xml").decode()

    assert cells(book)["B2"] == ("inlineStr", f"{start}cmd|' /C calc'!A0")
    assert not re.search(r"<f[ >]|<hyperlink", sheet)
    assert 'quotePrefix="1"' in book.read("xl/styles.xml").decode()


@pytest.mark.parametrize("title", ['<&">', "\x01\x0b", "\ufffe\uffff", "_x0041_", "é\U0001f4da"])
async def test_every_text_leaves_a_file_that_can_be_read(title: str) -> None:
    assert "B2" in cells(await written([line(title=title)]))


async def test_a_text_that_excel_cannot_take_is_cut() -> None:
    found = cells(await written([line(title="x" * 40_000)]))

    assert len(found["B2"][1]) == 32_767


async def test_pages_follow_each_other_and_none_leaves_the_headings() -> None:
    some = cells(await written([line()], [line(asin="B000000002")]))
    none = cells(await written([]))

    assert [some[place][1] for place in ("A1", "A2", "A3")] == ["asin", "0070820942", "B000000002"]
    assert len(none) == len(NAMES)


def test_what_a_sheet_cannot_take_goes_on_to_the_next(tmp_path: Path) -> None:
    """Excel takes 1,048,576 lines; a row beyond them is not lost."""
    path = tmp_path / "table.xlsx"
    book = workbook.Workbook(path, NAMES, sheet_lines=2)
    book.add([line(), line(asin="B000000002")])
    book.close()

    found = zipfile.ZipFile(path)

    assert cells(found, 1)["A2"][1] == "0070820942"
    assert cells(found, 2)["A2"][1] == "B000000002"


async def test_a_reader_that_leaves_leaves_nothing_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither half-way through the lines nor half-way through the file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    hanging = asyncio.Event()

    async def endless() -> AsyncIterator[list[Row]]:
        yield [line()]
        hanging.set()
        await asyncio.Event().wait()

    async def read() -> None:
        async for _ in workbook.content(NAMES, endless()):
            pass

    task = asyncio.create_task(read())
    await hanging.wait()
    task.cancel()
    await asyncio.wait({task})
    half = workbook.content(NAMES, pages([line()]))
    await anext(half)
    await half.aclose()  # type: ignore[attr-defined]

    assert left_in(tmp_path) == []
