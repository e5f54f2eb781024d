"""The Product Finder's selection: which fields it knows, and what they accept."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.sandbox.catalogue import Item
from deploy.sandbox.catalogue.series_index import Series
from deploy.sandbox.endpoints.selections import bad_field, boolean, numbers, texts, whole

FEWEST_PER_PAGE, MOST_PER_PAGE, DEFAULT_PER_PAGE = 50, 10_000, 50
MOST_SORTS = 3
Test = Callable[[Item], bool]
Read = Callable[[Item], int]

_ARRAYS = ("current", "avg30", "avg90", "avg180", "avg365", "outOfStockPercentage90")
_STAT = re.compile(rf"({'|'.join(_ARRAYS)})_([A-Z_]+)")
_SCALARS = ("salesRankDrops30", "salesRankDrops90", "salesRankDrops180", "salesRankDrops365")
_NUMBERS = ("monthlySold", "numberOfPages", "packageWeight", "publicationDate")
_TEXTS = ("author", "brand", "manufacturer", "binding")
_FLAGS = ("isAdultProduct",)
_LOWEST = re.compile(r"(isLowest|isLowest90)_([A-Z_]+)")


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
    page = whole(rest.pop("page", 0), "page", 0, 1_000_000)
    per_page = whole(
        rest.pop("perPage", DEFAULT_PER_PAGE), "perPage", FEWEST_PER_PAGE, MOST_PER_PAGE
    )
    if page and per_page * (page + 1) > MOST_PER_PAGE:
        raise bad_field("page")
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
        wanted = boolean(value, name)
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
        wanted = boolean(value, name)
        return _Field(lambda item: bool(item.facts[name]) == wanted)
    raise bad_field(name)


def _range(name: str, value: Any) -> _Field:
    base, bound = name[:-4], whole(value, name, -(2**53), 2**53)
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
    raise bad_field(name)


def _series(name: str, field: str) -> int:
    try:
        return Series[name]
    except KeyError as error:
        raise bad_field(field) from error


def _sorts(value: Any) -> list[tuple[Read, bool]]:
    if not isinstance(value, list) or len(value) > MOST_SORTS:
        raise bad_field("sort")
    pairs = [entry for entry in value if isinstance(entry, list) and len(entry) == 2]
    if len(pairs) != len(value) or any(str(order) not in {"asc", "desc"} for _, order in pairs):
        raise bad_field("sort")
    return [(_reader(str(name), "sort")[0], order == "desc") for name, order in pairs]


def _categories_include(value: Any, name: str) -> Test:
    wanted = set(numbers(value, name))
    return lambda item: not wanted.isdisjoint(item.facts["categories"])


def _categories_exclude(value: Any, name: str) -> Test:
    unwanted = set(numbers(value, name))
    return lambda item: unwanted.isdisjoint(item.facts["categories"])


def _any_number(field: str) -> Callable[[Any, str], Test]:
    def make(value: Any, name: str) -> Test:
        wanted = set(numbers(value, name))
        return lambda item: item.facts[field] in wanted

    return make


def _any_text(value: Any, name: str) -> Test:
    wanted = {entry.casefold() for entry in texts(value, name)}
    return lambda item: str(item.facts.get(name) or "").casefold() in wanted


def _title(value: Any, name: str) -> Test:
    """Accept titles that hold every word, in any order and letter case."""
    if not isinstance(value, str):
        raise bad_field(name)
    words = value.casefold().split()
    return lambda item: all(word in str(item.facts["title"]).casefold() for word in words)


def _everything(value: Any, name: str) -> Test:
    """Accept all: no book of the catalogue has variations, and all are reviewed."""
    boolean(value, name)
    return lambda _: True
