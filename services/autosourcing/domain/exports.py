"""Picks as the lines of a file: CSV that is safe to open in a spreadsheet, or JSON lines."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from services.autosourcing.domain.picks import Action, Pick

BYTE_ORDER_MARK = "\ufeff"
# A cell that begins with one of these may be run as a formula. Source: OWASP, CSV injection;
# the last four are the full-width forms that spreadsheets accept too.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True)
class Line:
    """One pick with what the reseller decided about it."""

    pick: Pick
    action: Action = Action.PENDING
    notes: str = ""


Value = str | int | Decimal
Column = tuple[str, Callable[[Line], Value]]

_COLUMNS: tuple[Column, ...] = (
    ("asin", lambda line: line.pick.finding.asin),
    ("title", lambda line: line.pick.finding.title),
    ("kind", lambda line: line.pick.kind),
    ("recommendation", lambda line: line.pick.finding.recommendation),
    ("tier", lambda line: line.pick.tier),
    ("rating", lambda line: line.pick.rating),
    ("max_buy", lambda line: _units(line.pick.finding.max_buy_cents)),
    ("buy_price", lambda line: _units(line.pick.finding.buy_price_cents)),
    ("buy_basis", lambda line: line.pick.finding.buy_basis),
    ("sell_price", lambda line: _units(line.pick.finding.sell_price_cents)),
    ("profit", lambda line: _units(line.pick.finding.profit_cents)),
    ("currency", lambda line: line.pick.finding.currency_code),
    ("roi_percent", lambda line: line.pick.finding.roi_percent),
    ("velocity", lambda line: line.pick.finding.velocity),
    ("stability", lambda line: line.pick.finding.stability),
    ("confidence", lambda line: line.pick.finding.confidence),
    ("sales_rank", lambda line: line.pick.finding.sales_rank),
    ("flags", lambda line: " ".join(line.pick.finding.flags)),
    ("reason", lambda line: line.pick.reason),
    ("action", lambda line: line.action),
    ("notes", lambda line: line.notes),
)
NAMES = tuple(name for name, _ in _COLUMNS)


def values(line: Line) -> list[Value]:
    """What a pick says in each column."""
    return [value(line) for _, value in _COLUMNS]


def csv_header() -> str:
    """The first line of a CSV file, with the mark by which spreadsheets know UTF-8."""
    return BYTE_ORDER_MARK + _csv([list(NAMES)])


def csv_lines(lines: Iterable[Line]) -> str:
    """CSV lines (RFC 4180); no text in them can be taken for a formula."""
    return _csv([[_cell(value) for value in values(line)] for line in lines])


def json_lines(lines: Iterable[Line]) -> str:
    """One JSON object per pick and line; prices and scores are numbers."""
    return "".join(
        json.dumps({name: _json(value(line)) for name, value in _COLUMNS}, ensure_ascii=False)
        + "\n"
        for line in lines
    )


def safe_text(text: str) -> str:
    """The text, with a leading apostrophe when a spreadsheet could run it."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _csv(rows: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    return file.getvalue()


def _cell(value: Value) -> str:
    return safe_text(str(value)) if isinstance(value, str) else str(value)


def _json(value: Value) -> str | int | float:
    return float(value) if isinstance(value, Decimal) else value


def _units(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
