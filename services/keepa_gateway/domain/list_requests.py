"""Requests for lists: finder pages, best sellers, categories; checked before anything is spent."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import msgspec

from services.chassis.errors import FieldViolation
from services.keepa_gateway.domain import costs
from services.keepa_gateway.domain.calls import Call, Endpoint, Pace
from services.keepa_gateway.domain.markets import MARKETS
from services.keepa_gateway.domain.products_request import ProductOptions
from services.keepa_gateway.domain.validation import domain_violations, refuse

MOST_CATEGORIES = 10
ALL_ROOTS = 0
PAGE_RANGE = range(50, 10_001)
BEST_SELLER_RANGES = (0, 30, 90, 180)
SHORTEST_TERM = 3
MONTHS = 12


class ListRequest(Protocol):
    """What all requests for lists have in common."""

    def validated(self) -> Self:
        """Return the request in its usual form.

        Raises:
            Refusal: INVALID_FIELD, naming every field that is wrong.
        """
        ...

    def call(self) -> Call:
        """The HTTP request."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FinderRequest:
    """A search over all products by their properties; answers ASINs only.

    Attributes:
        selection: Keepa's filter fields, without page and perPage.
        insights: Whether to say what all matches have in common.
    """

    domain: int
    selection: Mapping[str, object]
    page: int = 0
    per_page: int = PAGE_RANGE.start
    insights: bool = False

    def validated(self) -> Self:
        """Return the request itself when Keepa would take it.

        Raises:
            Refusal: INVALID_FIELD, naming every field that is wrong.
        """
        violations = list(domain_violations(self.domain))
        if self.per_page not in PAGE_RANGE:
            violations.append(FieldViolation("per_page", "must be from 50 to 10000"))
        if self.page < 0:
            violations.append(FieldViolation("page", "must be 0 or more"))
        if self.page * self.per_page > PAGE_RANGE[-1]:
            violations.append(FieldViolation("page", "page x per_page ends at 10000"))
        if self.page and self.per_page == PAGE_RANGE[-1]:
            violations.append(FieldViolation("page", "only page 0 may hold 10000"))
        if not self.selection:
            violations.append(FieldViolation("selection", "must name at least one filter"))
        refuse(violations)
        return self

    def call(self) -> Call:
        """The HTTP request: the selection is the whole body, as Keepa demands."""
        insights = (("stats", "1"),) if self.insights else ()
        selection = {**self.selection, "page": self.page, "perPage": self.per_page}
        return Call(
            endpoint=Endpoint.QUERY,
            parameters=(("domain", str(self.domain)), *insights),
            body=msgspec.json.encode(selection, order="deterministic"),
            wanted="asinList",
            cost=costs.finder(per_page=self.per_page, insights=self.insights),
            pace=Pace.PLAIN,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BestSellersRequest:
    """The best-seller list of a category.

    Attributes:
        range_days: Rank now (0), or averaged over 30, 90 or 180 days.
        year: Of a past month, together with ``month``; 0 for the present list.
    """

    domain: int
    category: int
    range_days: int = 0
    year: int = 0
    month: int = 0
    variations: bool = False
    sublist: bool = False

    def validated(self) -> Self:
        """Return the request itself when Keepa would take it.

        Raises:
            Refusal: INVALID_FIELD, naming every field that is wrong.
        """
        violations = list(domain_violations(self.domain))
        if self.domain in MARKETS and not MARKETS[self.domain].best_sellers:
            violations.append(FieldViolation("domain", "has no best-seller lists at Keepa"))
        if self.category <= 0:
            violations.append(FieldViolation("category_id", "must be a category id above 0"))
        if self.range_days not in BEST_SELLER_RANGES:
            violations.append(FieldViolation("range_days", "must be 0, 30, 90 or 180"))
        if bool(self.year) != bool(self.month) or (self.month and self.range_days):
            told = "goes with year, and without range_days"
            violations.append(FieldViolation("month", told))
        if not 0 <= self.month <= MONTHS:
            violations.append(FieldViolation("month", "must be from 1 to 12"))
        refuse(violations)
        return self

    def call(self) -> Call:
        """The HTTP request."""
        parameters = [("domain", str(self.domain)), ("category", str(self.category))]
        if self.range_days:
            parameters.append(("range", str(self.range_days)))
        if self.month:
            parameters += [("month", str(self.month)), ("year", str(self.year))]
        if self.variations:
            parameters.append(("variations", "1"))
        if self.sublist:
            parameters.append(("sublist", "1"))
        return Call(
            endpoint=Endpoint.BESTSELLERS,
            parameters=tuple(parameters),
            wanted="bestSellersList",
            optional=True,
            cost=costs.best_sellers(),
            pace=Pace.LIST,
            subjects=(str(self.category),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoriesRequest:
    """Categories by id; the id 0 alone stands for all roots."""

    domain: int
    categories: tuple[int, ...]
    parents: bool = False

    def validated(self) -> Self:
        """Return the request with each id once.

        Raises:
            Refusal: INVALID_FIELD, naming every field that is wrong.
        """
        unique = tuple(dict.fromkeys(self.categories))
        violations = list(domain_violations(self.domain))
        if not 1 <= len(unique) <= MOST_CATEGORIES:
            violations.append(FieldViolation("category_ids", "from 1 to 10 ids in one request"))
        if any(value < 0 for value in unique) or (ALL_ROOTS in unique and len(unique) > 1):
            told = "ids above 0, or 0 alone for all roots"
            violations.append(FieldViolation("category_ids", told))
        refuse(violations)
        return replace(self, categories=unique)

    def call(self) -> Call:
        """The HTTP request."""
        ids = tuple(str(value) for value in self.categories)
        parents = (("parents", "1"),) if self.parents else ()
        return Call(
            endpoint=Endpoint.CATEGORY,
            parameters=(("domain", str(self.domain)), ("category", ",".join(ids)), *parents),
            wanted="categories",
            cost=costs.categories(),
            pace=Pace.PLAIN,
            subjects=ids,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorySearchRequest:
    """Categories by words of their names."""

    domain: int
    term: str

    def validated(self) -> Self:
        """Return the request with its words trimmed.

        Raises:
            Refusal: INVALID_FIELD, naming every field that is wrong.
        """
        violations = list(domain_violations(self.domain))
        term = " ".join(self.term.split())
        if len(term) < SHORTEST_TERM:
            violations.append(FieldViolation("term", "needs at least 3 characters"))
        refuse(violations)
        return replace(self, term=term)

    def call(self) -> Call:
        """The HTTP request."""
        return Call(
            endpoint=Endpoint.SEARCH,
            parameters=(("domain", str(self.domain)), ("type", "category"), ("term", self.term)),
            wanted="categories",
            cost=costs.category_search(),
            pace=Pace.PLAIN,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSearchRequest:
    """Products by words, at most 20.

    Attributes:
        options: What is wanted of each; only statistics, history, refresh and rating apply.
    """

    domain: int
    term: str
    asins_only: bool = False
    options: ProductOptions

    def validated(self) -> Self:
        """Return the request with its words trimmed.

        Raises:
            Refusal: INVALID_FIELD, naming every field that is wrong.
        """
        violations = [*domain_violations(self.domain), *self.options.violations("")]
        term = " ".join(self.term.split())
        if len(term) < SHORTEST_TERM:
            violations.append(FieldViolation("term", "needs at least 3 characters"))
        refuse(violations)
        return replace(self, term=term)

    def call(self) -> Call:
        """The HTTP request."""
        parameters = [("domain", str(self.domain)), ("type", "product"), ("term", self.term)]
        parameters += [("asins-only", "1")] if self.asins_only else self.options.parameters()
        return Call(
            endpoint=Endpoint.SEARCH,
            parameters=tuple(parameters),
            wanted="asinList" if self.asins_only else "products",
            cost=costs.product_search(
                update_hours=self.options.update_hours, rating=self.options.rating
            ),
            pace=Pace.LIST,
        )
