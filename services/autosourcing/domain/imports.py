"""Reads a list of products that a person brings: a table of ASINs or ISBNs with own prices."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from services.autosourcing.domain import prices
from services.autosourcing.domain.spec import Item
from services.chassis import identifiers

MOST_PRODUCTS = 1000
MOST_REJECTED = 1000
# Bounds the time that one file takes; 1,000 products leave room for 19,000 repetitions.
_MOST_LINES = 20_000
_LONGEST_LINE = 10_000
_CUT = 200

_COST_NAMES = frozenset({"cost", "price", "buy", "prix"})
_HEADING_WORDS = _COST_NAMES | {
    *("asin", "isbn", "isbn10", "isbn13", "ean", "ean13", "identifier", "identifiers"),
    *("product", "produit", "title", "titre", "code"),
}


class NoTextError(ValueError):
    """The content is no text, or holds no line or too many; the message says which."""


class NoColumnError(ValueError):
    """No column has the heading that ``field`` names; the message says which there are."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Row:
    """One line of the file that is not empty: its number from 1, and its values."""

    number: int
    text: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Imported:
    """One product, the line that names it, and what that line said."""

    item: Item
    line: int
    text: str


@dataclass(frozen=True)
class Rejected:
    """A line that cannot be used, and why, for people."""

    line: int
    text: str
    reason: str


@dataclass
class Import:
    """What a file holds; the rejected lines are kept up to a limit and counted beyond it."""

    products: dict[str, Imported] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    lines: int = 0
    duplicates: int = 0
    rejections: int = 0


def rows(content: bytes) -> list[Row]:
    """The lines of a file, values parted by what parts the first of them.

    A quote that is never closed costs its own line and not the rest of the file.

    Raises:
        NoTextError: It is not UTF-8, holds zero characters, nothing but empty lines, or too many.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NoTextError("is no UTF-8 text; save the file as CSV UTF-8") from None
    if "\0" in text:
        raise NoTextError("is no text; save the file as CSV UTF-8")
    lines = [
        (number, line)
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1)
        if line.strip(" \t,;")
    ]
    if not lines:
        raise NoTextError("holds no line")
    if len(lines) > _MOST_LINES:
        raise NoTextError(f"holds more than {_MOST_LINES:,} lines; send it in parts")
    delimiter = _delimiter(lines[0][1])
    return [Row(number, line, _cells(line, delimiter)) for number, line in lines]


def read(content: bytes, *, identifier_column: str = "", cost_column: str = "") -> Import:
    """Everything in the file that can be used, and every line that cannot.

    Raises:
        NoTextError: There is nothing to be read.
        NoColumnError: A column that is named is not there.
    """
    table = rows(content)
    named = bool(identifier_column or cost_column)
    headings = table[0].cells if named or _is_heading(table[0]) else ()
    lines = table[1:] if headings else table
    place = _identifier_place(lines)
    if identifier_column:
        place = _named(headings, identifier_column, "identifier_column")
    cost = _cost_place(headings, lines, place)
    if cost_column:
        cost = _named(headings, cost_column, "cost_column")
    found = Import()
    for row in lines:
        _take(found, row, place, cost, len(headings))
    return found


def _take(found: Import, row: Row, place: int, cost: int | None, columns: int) -> None:
    """Put one line where it belongs; without headings there are 0 ``columns``."""
    found.lines += 1
    try:
        if cost is not None and len(row.cells) > columns:
            _refuse_parted(row, cost)
        product = _product(row, place, cost)
    except ValueError as error:
        _reject(found, row, str(error))
        return
    if product.item.asin in found.products:
        found.duplicates += 1
    elif len(found.products) == MOST_PRODUCTS:
        _reject(found, row, f"more than {MOST_PRODUCTS:,} products; put it into another file")
    else:
        found.products[product.item.asin] = product


def _reject(found: Import, row: Row, reason: str) -> None:
    found.rejections += 1
    if len(found.rejected) < MOST_REJECTED:
        found.rejected.append(Rejected(row.number, row.text[:_CUT], reason))


def _product(row: Row, place: int, cost: int | None) -> Imported:
    if not row.cells:
        raise ValueError(f"the line is longer than {_LONGEST_LINE:,} characters")
    text = _cell(row, place)
    if not text:
        raise ValueError(f"there is nothing in column {place + 1}, where the identifiers are")
    asin = _asin(text)
    price = _cell(row, cost) if cost is not None else ""
    return Imported(Item(asin, prices.cents(price) if price else 0), row.number, text[:_CUT])


def _refuse_parted(row: Row, cost: int) -> None:
    """Refuse a decimal comma that was taken for the end of the value: 12,50 is not 12 and 50."""
    units, part = _cell(row, cost), _cell(row, cost + 1)
    parted = f"{units},{part}"
    if units.isdecimal() and re.fullmatch("[0-9]{2}", part) and parted in row.text:
        raise ValueError(f"the price {parted} can be read in two ways; put it in quotes")


def _asin(text: str) -> str:
    """The ASIN; what spreadsheets do to long numbers is named as such."""
    try:
        return identifiers.asin_of(text)
    except identifiers.BadIdentifierError:
        if re.fullmatch(r"[0-9]{8}[0-9X]", text, re.IGNORECASE):
            raise ValueError("9 characters: a zero in front may have been dropped") from None
        if re.fullmatch(r"[0-9][.,][0-9]+E\+?[0-9]+", text, re.IGNORECASE):
            raise ValueError("a spreadsheet has rounded this number; format it as text") from None
        raise


def _delimiter(line: str) -> str:
    """What parts the values: the most frequent one; commas may be decimal and yield."""
    outside = re.sub(r'"[^"]*"', "", line)
    return max("\t;,", key=outside.count)


def _cells(line: str, delimiter: str) -> tuple[str, ...]:
    """The values of a line, without the armour that keeps zeros; none when it is too long."""
    if len(line) > _LONGEST_LINE:
        return ()
    values = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    return tuple(re.sub(r'^(?:="?|\')|"$', "", value.strip()).strip() for value in values)


def _cell(row: Row, place: int) -> str:
    return row.cells[place] if place < len(row.cells) else ""


def _is_heading(row: Row) -> bool:
    if any(_is_identifier(cell) for cell in row.cells):
        return False
    return any(_HEADING_WORDS & set(re.findall(r"\w+", _plain(cell))) for cell in row.cells)


def _is_identifier(cell: str) -> bool:
    if not 10 <= len(cell) <= 17:
        return False
    try:
        identifiers.asin_of(cell)
    except identifiers.BadIdentifierError:
        return False
    return True


def _named(headings: Iterable[str], name: str, field_name: str) -> int:
    known = [_plain(heading) for heading in headings]
    if _plain(name) not in known:
        shown = ", ".join(heading[:50] for heading in known[:20])
        raise NoColumnError(field_name, f"names no column; the first line has: {shown}")
    return known.index(_plain(name))


def _identifier_place(lines: Iterable[Row]) -> int:
    """The first column in which any line holds an identifier."""
    return min(_identifier_places(lines), default=0)


def _identifier_places(lines: Iterable[Row]) -> Iterator[int]:
    for row in lines:
        for place, cell in enumerate(row.cells):
            if _is_identifier(cell):
                yield place
                break


def _cost_place(headings: tuple[str, ...], lines: Iterable[Row], place: int) -> int | None:
    """The column named after a price; without headings the next one, if it begins with one."""
    if headings:
        named = (at for at, heading in enumerate(headings) if _plain(heading) in _COST_NAMES)
        return next(named, None)
    first = next((row for row in lines if _is_identifier(_cell(row, place))), None)
    if first is None:
        return None
    try:
        prices.cents(_cell(first, place + 1))
    except prices.BadPriceError:
        return None
    return place + 1


def _plain(heading: str) -> str:
    return heading.strip().casefold()
