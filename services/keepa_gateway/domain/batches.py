"""Cutting a product request into calls that Keepa takes and its payer can hold."""

from services.chassis.errors import Refusal
from services.keepa_gateway.domain.hopeless import BUDGET_DOMAIN, beyond_capacity
from services.keepa_gateway.domain.products_request import MOST_PRODUCTS, ProductsRequest

# Where the price is known only afterwards, a call holds a quarter of the bucket at most: it need
# not wait for a full one, and what it held too much is free again for the next.
SHARE_OF_CAPACITY = 4


def limit(request: ProductsRequest, *, capacity: int, floor: int) -> int:
    """How many tokens one call of the request should hold at most.

    Raises:
        Refusal: COST_EXCEEDS_CAPACITY when even one product could cost more.
    """
    fits = max(capacity - floor, 0)
    single = request.narrowed(request.subjects[:1]).cost()
    if single.most > fits:
        raise beyond_capacity(single.most + floor, capacity)
    if single.expected == single.most:
        return fits
    return min(fits, max(single.most, capacity // SHARE_OF_CAPACITY))


def size(request: ProductsRequest, *, most_tokens: int) -> int:
    """How many products a call may ask for so that its bound stays within ``most_tokens``."""
    single = request.narrowed(request.subjects[:1]).cost().most
    return min(MOST_PRODUCTS, most_tokens // single) if single else MOST_PRODUCTS


def affordable(batch: ProductsRequest, refusal: Refusal) -> int:
    """How many products of a refused batch could have been paid for; 0 for any other refusal.

    What a shortage required beyond the cost, a floor or somebody's turn, stays untouched.
    """
    facts, single = refusal.facts, batch.narrowed(batch.subjects[:1]).cost().most
    if refusal.domain != BUDGET_DOMAIN or not single:
        return 0
    if refusal.reason in ("INSUFFICIENT_TOKENS", "WAIT_TIMEOUT"):
        there = int(facts["balance"]) - (int(facts["required"]) - batch.cost().most)
    elif refusal.reason == "ENVELOPE_EXHAUSTED":
        there = int(facts["remaining"])
    else:
        return 0
    return min(max(there, 0) // single, len(batch.subjects) - 1)
