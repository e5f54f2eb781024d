"""Cutting a product request into calls that Keepa takes and the bucket can hold."""

from services.chassis.errors import Kind, Refusal
from services.keepa_gateway.domain.products_request import MOST_PRODUCTS, ProductsRequest

# The reason is budget's, which would say the same of such a reservation.
BUDGET_DOMAIN = "budget.arbitragevault"
# Where the price is known only afterwards, a call holds a quarter of the bucket at most: it need
# not wait for a full one, and what it held too much is free again for the next.
SHARE_OF_CAPACITY = 4


def limit(request: ProductsRequest, *, capacity: int, floor: int) -> int:
    """How many tokens one call of the request should hold at most."""
    fits = max(capacity - floor, 0)
    single = request.narrowed(request.subjects[:1]).cost()
    if single.expected == single.most:
        return fits
    return min(fits, max(single.most, capacity // SHARE_OF_CAPACITY))


def split(request: ProductsRequest, *, most_tokens: int) -> tuple[ProductsRequest, ...]:
    """Cut a request so that no call's upper bound exceeds ``most_tokens``.

    Raises:
        Refusal: COST_EXCEEDS_CAPACITY when even one product could cost more.
    """
    subjects = request.subjects
    single = request.narrowed(subjects[:1]).cost().most if subjects else 0
    if single > most_tokens:
        raise Refusal(
            Kind.FAILED_PRECONDITION,
            "COST_EXCEEDS_CAPACITY",
            f"One product may cost {single} tokens, but the account can hold {most_tokens} at most.",
            facts={"required": single, "capacity": most_tokens},
            domain=BUDGET_DOMAIN,
        )
    size = min(MOST_PRODUCTS, most_tokens // single) if single else MOST_PRODUCTS
    return tuple(
        request.narrowed(subjects[start : start + size]) for start in range(0, len(subjects), size)
    )
