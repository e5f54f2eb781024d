"""What the first pass of a job can cost at most, in tokens, before anything is spent."""

from dataclasses import dataclass

from services.autosourcing.domain.job import Plan
from services.autosourcing.domain.limits import Limits, floor, gate

SEARCH_TOKENS = 10
ASINS_PER_SEARCH_TOKEN = 100


@dataclass(frozen=True)
class Estimate:
    """The most that a job's first pass can cost.

    Attributes:
        search_tokens: For the Product Finder; 0 when identifiers are given or it is cached.
        product_tokens: For the product data: one for each product that is not cached.
        products: Products that will be analysed at most.
        cached_products: Those of them that cost nothing.
    """

    search_tokens: int
    product_tokens: int
    products: int
    cached_products: int = 0

    @property
    def tokens(self) -> int:
        """The sum."""
        return self.search_tokens + self.product_tokens


@dataclass(frozen=True)
class Outlook:
    """Whether a job could start now, and when if not.

    Attributes:
        balance: Tokens available before floors; None when the balance is unknown.
        required: Tokens that must be available: the gate; 0 for a free job.
        wait_seconds: Until it could start; 0 when it can; None when it never can or
            nobody knows.
        warning: For people, when the balance is low.
    """

    balance: int | None
    required: int
    wait_seconds: float | None
    warning: str = ""

    @property
    def deficit(self) -> int:
        """Tokens missing; 0 when the gate is open."""
        if self.required == 0:
            return 0
        return max(0, self.required - (self.balance or 0))


def search_cost(wanted: int) -> int:
    """Tokens of a Product Finder query that returns at most ``wanted`` ASINs.

    Source:
        Keepa's price list: 10, and 1 for each started 100 ASINs.
    """
    assert wanted >= 1
    return SEARCH_TOKENS + -(-wanted // ASINS_PER_SEARCH_TOKEN)


def candidates_wanted(products: int) -> int:
    """ASINs to ask a search for, so that ``products`` remain after those seen recently.

    A started hundred costs the same as a full one, so the whole hundred is asked for.
    """
    return -(-products // ASINS_PER_SEARCH_TOKEN) * ASINS_PER_SEARCH_TOKEN


def for_search(products: int) -> Estimate:
    """Estimate a job that searches first: nobody knows yet which products are stored."""
    return Estimate(search_cost(candidates_wanted(products)), products, products)


def for_identifiers(products: int, *, cached: int = 0) -> Estimate:
    """Estimate a job whose products are given: there is no search to pay."""
    cached = min(cached, products)
    return Estimate(0, products - cached, products, cached)


def too_expensive(limits: Limits, estimate: Estimate) -> bool:
    """Whether the estimate is above what one job may cost."""
    return estimate.tokens > limits.tokens_per_job


def envelope_tokens(limits: Limits, plan: Plan, *, background: bool = False) -> int:
    """Tokens that a job holds: its estimate, and room to repeat a search whose answer was lost.

    The room comes out of what the gate demands beyond the estimate anyway, so it never refuses
    a job that could have started; a large job has none and stops at its limit instead.
    """
    tokens = plan.estimated_tokens
    if not plan.searches:
        return tokens
    repeated = tokens + search_cost(ASINS_PER_SEARCH_TOKEN)
    spare = gate(limits, tokens, background=background) - floor(limits, background=background)
    return max(tokens, min(repeated, spare))


def required_tokens(limits: Limits, estimate: Estimate) -> int:
    """Tokens that must be available before the job starts; none for a free job."""
    return gate(limits, estimate.tokens) if estimate.tokens else 0
