"""Requests for deals and sellers, checked before anything is spent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import msgspec

from services.chassis import identifiers
from services.chassis.errors import FieldViolation
from services.keepa_gateway.domain import costs
from services.keepa_gateway.domain.calls import Call, Endpoint, Pace
from services.keepa_gateway.domain.list_requests import PAGE_RANGE
from services.keepa_gateway.domain.markets import MARKETS
from services.keepa_gateway.domain.series import NAMES
from services.keepa_gateway.domain.validation import domain_violations, refuse

DEALS_PER_PAGE = 150
LAST_DEALS_PAGE = 66
MOST_SELLERS = 100
SELLER_FORM = re.compile(r"[A-Z0-9]{10,21}")
SALES = NAMES.index("SALES")
LEAST_PERCENT, LEAST_RANK_PERCENT = 10, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class DealsRequest:
    """A page of deals.

    Attributes:
        price_type: The name of the series whose change makes the deal.
        selection: Keepa's further filter fields.
        extra: More of them, by Keepa's own names, that may not repeat one of the others.
    """

    domain: int
    price_type: str
    selection: Mapping[str, object]
    extra: Mapping[str, object]
    page: int = 0

    def validated(self) -> Self:
        """Return the request itself when Keepa would take it.

        Raises:
            Refusal: INVALID_FIELD, naming every field that is wrong.
        """
        violations = list(domain_violations(self.domain))
        if self.price_type not in NAMES:
            violations.append(FieldViolation("selection.price_type", "must be a series of Keepa's"))
        if not 0 <= self.page <= LAST_DEALS_PAGE:
            violations.append(FieldViolation("page", "must be from 0 to 66"))
        least = LEAST_RANK_PERCENT if self.price_type == NAMES[SALES] else LEAST_PERCENT
        percent = self.selection.get("deltaPercentRange")
        if isinstance(percent, list) and percent[0] < least:
            told = f"minimum must be {least} or more for {self.price_type}"
            violations.append(FieldViolation("selection.change_percent_range", told))
        taken = {*self.selection, "page", "domainId", "priceTypes"} & self.extra.keys()
        violations += [
            FieldViolation(f"selection.extra.{name}", "is a field of the contract")
            for name in sorted(taken)
        ]
        refuse(violations)
        return self

    def call(self) -> Call:
        """The HTTP request: the selection is the whole body, the marketplace inside."""
        selection = {
            **self.extra,
            **self.selection,
            "page": self.page,
            "domainId": self.domain,
            "priceTypes": [NAMES.index(self.price_type)],
        }
        return Call(
            endpoint=Endpoint.DEAL,
            parameters=(),
            body=msgspec.json.encode(selection, order="deterministic"),
            wanted="deals",
            cost=costs.deals(),
            pace=Pace.LIST,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SellersRequest:
    """Sellers by id; a storefront is given for one at a time."""

    domain: int
    sellers: tuple[str, ...]
    storefront: bool = False

    def validated(self) -> Self:
        """Return the request itself when Keepa would take it.

        Raises:
            Refusal: INVALID_FIELD, naming every field that is wrong.
        """
        violations = list(domain_violations(self.domain))
        most = 1 if self.storefront else MOST_SELLERS
        if not 1 <= len(self.sellers) <= most:
            violations.append(FieldViolation("seller_ids", f"from 1 to {most} in one request"))
        violations += [
            FieldViolation(f"seller_ids[{place}]", "10 to 21 capital letters and digits")
            for place, seller in enumerate(self.sellers)
            if not SELLER_FORM.fullmatch(seller)
        ]
        refuse(violations)
        return self

    def call(self) -> Call:
        """The HTTP request."""
        storefront = (("storefront", "1"),) if self.storefront else ()
        return Call(
            endpoint=Endpoint.SELLER,
            parameters=(
                ("domain", str(self.domain)),
                ("seller", ",".join(self.sellers)),
                *storefront,
            ),
            wanted="sellers",
            optional=True,
            cost=costs.sellers(len(self.sellers), storefront=self.storefront),
            pace=Pace.LIST,
            subjects=self.sellers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TopSellersRequest:
    """The most rated sellers of a marketplace."""

    domain: int

    def validated(self) -> Self:
        """Return the request itself when Keepa would take it.

        Raises:
            Refusal: INVALID_FIELD, when the marketplace has no such list.
        """
        violations = list(domain_violations(self.domain))
        if self.domain in MARKETS and not MARKETS[self.domain].best_sellers:
            violations.append(FieldViolation("domain", "has no list of top sellers at Keepa"))
        refuse(violations)
        return self

    def call(self) -> Call:
        """The HTTP request."""
        return Call(
            endpoint=Endpoint.TOPSELLER,
            parameters=(("domain", str(self.domain)),),
            wanted="sellerIdList",
            optional=True,
            cost=costs.top_sellers(),
            pace=Pace.LIST,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerFinderRequest:
    """A search over all sellers by their properties; answers ids only."""

    domain: int
    selection: Mapping[str, object]
    page: int = 0
    per_page: int = PAGE_RANGE.start

    def validated(self) -> Self:
        """Return the request itself when Keepa would take it.

        Raises:
            Refusal: INVALID_FIELD, naming every field that is wrong.
        """
        violations = list(domain_violations(self.domain))
        if self.per_page not in PAGE_RANGE:
            violations.append(FieldViolation("per_page", "must be from 50 to 10000"))
        if self.page < 0 or (self.page and self.page * self.per_page > PAGE_RANGE[-1]):
            violations.append(FieldViolation("page", "page x per_page ends at 10000"))
        if not self.selection:
            violations.append(FieldViolation("selection", "must name at least one filter"))
        refuse(violations)
        return self

    def call(self) -> Call:
        """The HTTP request."""
        selection = {**self.selection, "page": self.page, "perPage": self.per_page}
        return Call(
            endpoint=Endpoint.SELLERQUERY,
            parameters=(("domain", str(self.domain)),),
            body=msgspec.json.encode(selection, order="deterministic"),
            wanted="sellerIdList",
            cost=costs.seller_finder(per_page=self.per_page),
            pace=Pace.LIST,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LightningDealsRequest:
    """Lightning deals of one ASIN, or with the caller's explicit yes all of a marketplace."""

    domain: int
    asin: str = ""
    full_list: bool = False

    def validated(self) -> Self:
        """Return the request itself when Keepa would take it.

        Raises:
            Refusal: INVALID_FIELD, naming every field that is wrong.
        """
        violations = list(domain_violations(self.domain))
        if bool(self.asin) == self.full_list:
            told = "give an ASIN, or full_list to say yes to 500 tokens, and not both"
            violations.append(FieldViolation("asin", told))
        if self.asin and not identifiers.is_asin(self.asin):
            violations.append(FieldViolation("asin", "cannot be valid"))
        refuse(violations)
        return self

    def call(self) -> Call:
        """The HTTP request."""
        named = (("asin", self.asin),) if self.asin else ()
        return Call(
            endpoint=Endpoint.LIGHTNINGDEAL,
            parameters=(("domain", str(self.domain)), *named),
            wanted="lightningDeals",
            optional=True,
            cost=costs.lightning_deals(full_list=self.full_list),
            pace=Pace.LIST,
            subjects=(self.asin,) if self.asin else (),
        )
