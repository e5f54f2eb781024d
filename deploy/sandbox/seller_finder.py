"""The Seller Finder's selection: ranges and switches over the fields of a seller object."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.sandbox.endpoints.selections import bad_field, boolean, whole

FEWEST_PER_PAGE, MOST_PER_PAGE, DEFAULT_PER_PAGE = 50, 10_000, 50
MOST_SORTS = 3
Seller = Mapping[str, Any]
Test = Callable[[Seller], bool]

_NUMBERS = frozenset({
    "currentRating", "currentRatingCount", "ratingsLast30Days", "trackedSince", "lastUpdate",
    "totalStorefrontAsins",
})  # fmt: skip
_FLAGS = frozenset({"hasFBA", "shipsFromChina", "isScammer"})


@dataclass(frozen=True)
class SellerSelection:
    """A parsed selection; all tests must accept a seller.

    Attributes:
        sorts: First the most significant; True is descending.
    """

    tests: Sequence[Test]
    sorts: Sequence[tuple[str, bool]]
    page: int
    per_page: int

    def chosen(self, sellers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the accepted sellers in the asked order; equal ones as they came."""
        accepted = [seller for seller in sellers if all(test(seller) for test in self.tests)]
        for field, descending in reversed(self.sorts):
            accepted.sort(key=lambda seller: number_of(seller, field), reverse=descending)
        return accepted


def parse_sellers(fields: Mapping[str, Any]) -> SellerSelection:
    """Return the selection, or refuse naming the first field that is not known."""
    rest = dict(fields)
    page = whole(rest.pop("page", 0), "page", 0, 1_000_000)
    per_page = whole(
        rest.pop("perPage", DEFAULT_PER_PAGE), "perPage", FEWEST_PER_PAGE, MOST_PER_PAGE
    )
    sorts = _sorts(rest.pop("sort", [["currentRatingCount", "desc"]]))
    tests = [_test(name, value) for name, value in rest.items() if value is not None]
    return SellerSelection(tests, sorts, page, per_page)


def number_of(seller: Seller, field: str) -> int:
    """Return a field as a number; a storefront's size is the last of its list."""
    value = seller[field]
    return int(value[-1] if isinstance(value, list) else value)


def _test(name: str, value: Any) -> Test:
    if name in _FLAGS:
        wanted = boolean(value, name)
        return lambda seller: seller[name] is wanted
    field, bound = name[:-4], whole(value, name, -(2**53), 2**53)
    if field not in _NUMBERS or not name.endswith(("_gte", "_lte")):
        raise bad_field(name)
    if name.endswith("_gte"):
        return lambda seller: number_of(seller, field) >= bound
    return lambda seller: number_of(seller, field) <= bound


def _sorts(value: Any) -> list[tuple[str, bool]]:
    if not isinstance(value, list) or len(value) > MOST_SORTS:
        raise bad_field("sort")
    for entry in value:
        if not (isinstance(entry, list) and len(entry) == 2 and str(entry[0]) in _NUMBERS):
            raise bad_field("sort")
        if str(entry[1]) not in {"asc", "desc"}:
            raise bad_field("sort")
    return [(name, order == "desc") for name, order in value]
