"""Rows of values as text: CSV that is safe to open in a spreadsheet, and JSON lines."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal

BYTE_ORDER_MARK = "\ufeff"
# A cell that begins with one of these may be run as a formula. Source: OWASP, CSV injection;
# the last four are the full-width forms that spreadsheets accept too.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Value = str | int | Decimal | None
"""What a cell holds; None is an empty one."""

Row = Sequence[Value]


def csv_header(names: Sequence[str]) -> str:
    """The first line of a CSV file, with the mark by which spreadsheets know UTF-8."""
    return BYTE_ORDER_MARK + _csv([names])


def csv_lines(rows: Iterable[Row]) -> str:
    """CSV lines (RFC 4180); no text in them can be taken for a formula."""
    return _csv([_cell(value) for value in row] for row in rows)


def json_lines(names: Sequence[str], rows: Iterable[Row]) -> str:
    """One JSON object per row and line; numbers are numbers."""
    return "".join(
        json.dumps(
            {name: _json(value) for name, value in zip(names, row, strict=True)},
            ensure_ascii=False,
        )
        + "\n"
        for row in rows
    )


def safe_text(text: str) -> str:
    """The text, with a leading apostrophe when a spreadsheet could run it."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _csv(rows: Iterable[Sequence[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    return file.getvalue()


def _cell(value: Value) -> str:
    if value is None:
        return ""
    return safe_text(str(value)) if isinstance(value, str) else str(value)


def _json(value: Value) -> str | int | float | None:
    return float(value) if isinstance(value, Decimal) else value
