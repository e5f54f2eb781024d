"""The Product Finder's selection: which fields it knows, and what they accept."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.sandbox.catalogue import Item
from deploy.sandbox.catalogue.series_index import Series
from deploy.sandbox.envelope import Refused

FEWEST_PER_PAGE, MOST_PER_PAGE, DEFAULT_PER_PAGE = 50, 10_000, 50
MOST_IN_LIST, MOST_SORTS = 50, 3
Test = Callable[[Item], bool]
Read = Callable[[Item], int]

_ARRAYS = ("current", "avg30", "avg90", "avg180", "avg365", "outOfStockPercentage90")
_STAT = re.compile(rf"({'|'.join(_ARRAYS)})_([A-Z_]+)")
_SCALARS = ("salesRankDrops30", "salesRankDrops90", "salesRankDrops180", "salesRankDrops365")
_NUMBERS = ("monthlySold", "numberOfPages", "packageWeight", "publicationDate")
_TEXTS = ("author", "brand", "manufacturer", "binding")
_FLAGS = ("isAdultProduct",)
_LOWEST = re.compile(r"(isLowest|isLowest90)_([A-Z_]+)")


def _bad(field: str) -> Refused:
    return Refused("The queryJSON is of invalid format.", details=field)


@dataclass(frozen=True)
class Selection:
    """A parsed selection.

    Attributes:
        tests: All must accept a product.
        sorts: First the most significant; True is descending.
    """

    tests: Sequence[Test]
    sorts: Sequence[tuple[Read, bool]]
    page: int
    per_page: int

    def accepts(self, item: Item) -> bool:
        """Return whether every field of the selection accepts the product."""
        return all(test(item) for test in self.tests)

    def sorted(self, items: list[Item]) -> list[Item]:
        """Return the items in the asked order; equal ones by ASIN, absent values last."""
        ordered = sorted(items, key=lambda item: item.asin)
        for read, descending in reversed(self.sorts):
            sign = -1 if descending else 1
            ordered.sort(key=lambda item: _sort_key(read(item), sign))
        return ordered


def _sort_key(value: int, sign: int) -> tuple[bool, int]:
    return value < 0, sign * value


def parse_selection(fields: Mapping[str, Any]) -> Selection:
    """Return the selection, or refuse naming the first field Keepa would not take."""
    rest = dict(fields)
    page = _whole(rest.pop("page", 0), "page", 0, 1_000_000)
    per_page = _whole(
        rest.pop("perPage", DEFAULT_PER_PAGE), "perPage", FEWEST_PER_PAGE, MOST_PER_PAGE
    )
    if page and per_page * (page + 1) > MOST_PER_PAGE:
        raise _bad("page")
    sorts = _sorts(rest.pop("sort", [["current_SALES", "asc"]]))
    tests = [_test(name, value) for name, value in rest.items() if value is not None]
    return Selection(_cheap_first(tests), sorts, page, per_page)


@dataclass(frozen=True)
class _Field:
    """One accepted field with its test; those that need a product's history come last."""

    test: Test
    needs_history: bool = False


def _cheap_first(fields: list[_Field]) -> list[Test]:
    return [field.test for field in sorted(fields, key=lambda field: field.needs_history)]


def _test(name: str, value: Any) -> _Field:
    """Return the test of one field."""
    if name.endswith(("_gte", "_lte")):
        return _range(name, value)
    if match := _LOWEST.fullmatch(name):
        array, index = match[1], _series(match[2], name)
        wanted = _boolean(value, name)
        return _Field(lambda item: bool(item.stat(array, index)) == wanted, needs_history=True)
    special = {
        "title": _title,
        "categories_include": _categories_include,
        "categories_exclude": _categories_exclude,
        "rootCategory": _any_number("rootCategory"),
        "productType": _any_number("productType"),
        "availabilityAmazon": _any_number("availabilityAmazon"),
        "singleVariation": _everything,
        "hasReviews": _everything,
    }.get(name)
    if special:
        return _Field(special(value, name))
    if name in _TEXTS:
        return _Field(_any_text(value, name))
    if name in _FLAGS:
        wanted = _boolean(value, name)
        return _Field(lambda item: bool(item.facts[name]) == wanted)
    raise _bad(name)


def _range(name: str, value: Any) -> _Field:
    base, bound = name[:-4], _whole(value, name, -(2**53), 2**53)
    read, needs_history = _reader(base, name)
    if name.endswith("_gte"):
        return _Field(lambda item: read(item) >= bound, needs_history)
    return _Field(lambda item: 0 <= read(item) <= bound, needs_history)


def _reader(base: str, name: str) -> tuple[Read, bool]:
    """Return how to read a number, and whether that needs the product's history."""
    if match := _STAT.fullmatch(base):
        array, index = match[1], _series(match[2], name)
        return (lambda item: item.stat(array, index)), array != "current"
    if base in _SCALARS:
        return (lambda item: item.count(base)), True
    if base in _NUMBERS:
        return (lambda item: int(item.facts.get(base) or -1)), False
    if base == "availabilityAmazon":
        return (lambda item: int(item.facts[base])), False
    raise _bad(name)


def _series(name: str, field: str) -> int:
    try:
        return Series[name]
    except KeyError as error:
        raise _bad(field) from error


def _sorts(value: Any) -> list[tuple[Read, bool]]:
    if not isinstance(value, list) or len(value) > MOST_SORTS:
        raise _bad("sort")
    pairs = [entry for entry in value if isinstance(entry, list) and len(entry) == 2]
    if len(pairs) != len(value) or any(order not in {"asc", "desc"} for _, order in pairs):
        raise _bad("sort")
    return [(_reader(str(name), "sort")[0], order == "desc") for name, order in pairs]


def _categories_include(value: Any, name: str) -> Test:
    wanted = set(_numbers(value, name))
    return lambda item: not wanted.isdisjoint(item.facts["categories"])


def _categories_exclude(value: Any, name: str) -> Test:
    unwanted = set(_numbers(value, name))
    return lambda item: unwanted.isdisjoint(item.facts["categories"])


def _any_number(field: str) -> Callable[[Any, str], Test]:
    def make(value: Any, name: str) -> Test:
        wanted = set(_numbers(value, name))
        return lambda item: item.facts[field] in wanted

    return make


def _any_text(value: Any, name: str) -> Test:
    wanted = {entry.casefold() for entry in _texts(value, name)}
    return lambda item: str(item.facts.get(name) or "").casefold() in wanted


def _title(value: Any, name: str) -> Test:
    """Accept titles that hold every word, in any order and letter case."""
    if not isinstance(value, str):
        raise _bad(name)
    words = value.casefold().split()
    return lambda item: all(word in str(item.facts["title"]).casefold() for word in words)


def _everything(value: Any, name: str) -> Test:
    """Accept all: no book of the catalogue has variations, and all are reviewed."""
    _boolean(value, name)
    return lambda _: True


def _boolean(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise _bad(name)
    return value


def _whole(value: Any, name: str, least: int, most: int) -> int:
    """Return a whole number; like Keepa, take one that is written as a string too."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _bad(name)
    return value


def _numbers(value: Any, name: str) -> list[int]:
    entries = value if isinstance(value, list) else [value]
    if not 1 <= len(entries) <= MOST_IN_LIST:
        raise _bad(name)
    return [_whole(entry, name, -1, 2**63 - 1) for entry in entries]


def _texts(value: Any, name: str) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    if not 1 <= len(entries) <= MOST_IN_LIST or not all(isinstance(e, str) for e in entries):
        raise _bad(name)
    return entries
