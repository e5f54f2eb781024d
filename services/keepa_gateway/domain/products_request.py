"""Requests for products, checked before anything is spent."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from services.chassis import identifiers
from services.chassis.errors import FieldViolation
from services.keepa_gateway.domain import costs
from services.keepa_gateway.domain.calls import Call, Endpoint, Pace
from services.keepa_gateway.domain.costs import Cost
from services.keepa_gateway.domain.validation import domain_violations, normal_form, refuse

MOST_PRODUCTS = 100
OFFERS_RANGE = range(20, 101)
# One GTIN can match many products, each priced; 1,500 tokens were once paid for one code.
DEFAULT_CODE_LIMIT = 1
MOST_CODE_LIMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductOptions:
    """What is wanted of each product.

    Attributes:
        history: Whether to send the time series.
        history_days: Only this many days of them; 0 sends all.
        stats_days: Statistics over this many days; 0 sends none.
        offers: 0, or up to this many (20 to 100) current offers.
        update_hours: Refresh at Keepa when older; nothing leaves it to Keepa (1 h), -1 never does.
    """

    history: bool = True
    history_days: int = 0
    stats_days: int = 90
    offers: int = 0
    only_live_offers: bool = False
    stock: bool = False
    buybox: bool = False
    rating: bool = False
    videos: bool = False
    aplus: bool = False
    historical_variations: bool = False
    update_hours: int | None = None

    def violations(self, path: str = "options.") -> Iterable[FieldViolation]:
        """Say what Keepa would refuse, or silently ignore; ``path`` leads to the options."""
        if self.offers and self.offers not in OFFERS_RANGE:
            yield FieldViolation(f"{path}offer_count", "must be 0 or from 20 to 100")
        if self.stock and not self.offers:
            yield FieldViolation(f"{path}stock", "needs an offer_count of 20 or more")
        if self.only_live_offers and not self.offers:
            yield FieldViolation(f"{path}only_live_offers", "needs an offer_count of 20 or more")
        for name, days in (("stats_days", self.stats_days), ("history_days", self.history_days)):
            if days < 0:
                yield FieldViolation(path + name, "must be 0 or more")
        if self.update_hours is not None and self.update_hours < -1:
            yield FieldViolation(f"{path}update_hours", "must be -1 or more")

    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Spell the options as Keepa does: lower case with dashes, anything else is ignored."""
        flags = {
            "only-live-offers": self.only_live_offers,
            "stock": self.stock,
            # Offers include the buy box and the rating; asking for both would only cost more.
            "buybox": self.buybox and not self.offers,
            "rating": self.rating,
            "videos": self.videos,
            "aplus": self.aplus,
            "historical-variations": self.historical_variations,
        }
        numbers = {
            "days": self.history_days if self.history else 0,
            "stats": self.stats_days,
            "offers": self.offers,
        }
        spelled = [(name, "1") for name, wanted in flags.items() if wanted]
        spelled += [(name, str(value)) for name, value in numbers.items() if value]
        spelled.append(("history", "1" if self.history else "0"))
        if self.update_hours is not None:
            spelled.append(("update", str(self.update_hours)))
        return tuple(sorted(spelled))

    def without_offers(self) -> Self:
        """What an answer holds whose offers could not be read: nothing that comes with them."""
        return replace(
            self, offers=0, only_live_offers=False, stock=False, buybox=False, rating=False
        )

    @property
    def pace(self) -> Pace:
        """Offers are fetched live and take seconds."""
        return Pace.OFFERS if self.offers else Pace.PLAIN

    def cost(self, count: int) -> Cost:
        """The cost of ``count`` products with these options."""
        if self.offers:
            return costs.product_with_offers(
                count,
                offers=self.offers,
                update_hours=self.update_hours,
                historical_variations=self.historical_variations,
            )
        return costs.plain_product(
            update_hours=self.update_hours,
            rating=self.rating,
            buybox=self.buybox,
            historical_variations=self.historical_variations,
        ).times(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductsRequest:
    """Products by ASIN or by code, never both."""

    domain: int
    asins: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    code_limit: int = DEFAULT_CODE_LIMIT
    options: ProductOptions = ProductOptions()

    def validated(self) -> "ProductsRequest":
        """Return the request with identifiers in their usual form, each once, in order.

        Raises:
            Refusal: INVALID_FIELD, naming every field that is wrong.
        """
        violations = list(domain_violations(self.domain))
        if bool(self.asins) == bool(self.codes):
            violations.append(FieldViolation("asins", "give asins or codes, and not both"))
        asins, wrong_asins = normal_form("asins", self.asins, identifiers.asin)
        codes, wrong_codes = normal_form("codes", self.codes, identifiers.code)
        violations += wrong_asins + wrong_codes + list(self.options.violations())
        for name, values in (("asins", asins), ("codes", codes)):
            if len(values) > MOST_PRODUCTS:
                violations.append(FieldViolation(name, f"at most {MOST_PRODUCTS} in one request"))
        if not 1 <= self.code_limit <= MOST_CODE_LIMIT:
            told = f"from 1 to {MOST_CODE_LIMIT}"
            violations.append(FieldViolation("options.code_limit", told))
        refuse(violations)
        return replace(self, asins=asins, codes=codes)

    @property
    def subjects(self) -> tuple[str, ...]:
        """The ASINs or the codes."""
        return self.asins or self.codes

    def narrowed(self, subjects: Iterable[str]) -> "ProductsRequest":
        """The same request for some of its ASINs or codes."""
        kept = tuple(subjects)
        return replace(self, asins=kept) if self.asins else replace(self, codes=kept)

    @property
    def gatherable(self) -> bool:
        """Whether it may share a call with others: every product has one price, known before.

        Where the price is known only afterwards, nobody could say whose product cost what.
        """
        each = self.options.cost(1)
        return bool(self.asins) and each.least == each.expected == each.most

    def cost(self) -> Cost:
        """What the request costs in one call; a code costs by what it returns."""
        if self.asins:
            return self.options.cost(len(self.asins))
        count = len(self.codes)
        most = self.options.cost(count * self.code_limit).most
        return Cost(0, self.options.cost(count).expected, most)

    def call(self) -> Call:
        """The HTTP request; ``code-limit`` is always sent with codes."""
        named = (
            (("asin", ",".join(self.asins)),)
            if self.asins
            else (("code", ",".join(self.codes)), ("code-limit", str(self.code_limit)))
        )
        parameters = (("domain", str(self.domain)), *named, *self.options.parameters())
        return Call(
            endpoint=Endpoint.PRODUCT,
            parameters=parameters,
            wanted="products",
            cost=self.cost(),
            pace=self.options.pace,
            subjects=self.subjects,
        )
