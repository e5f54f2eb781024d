"""Cutting a product request into calls that Keepa takes and the bucket can hold."""

from services.chassis.errors import Kind, Refusal
from services.keepa_gateway.domain.products_request import MOST_PRODUCTS, ProductsRequest


def split(request: ProductsRequest, *, most_tokens: int) -> tuple[ProductsRequest, ...]:
    """Cut a request so that no call's upper bound exceeds ``most_tokens``: capacity less floor.

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
        )
    size = min(MOST_PRODUCTS, most_tokens // single) if single else MOST_PRODUCTS
    return tuple(
        request.narrowed(subjects[start : start + size]) for start in range(0, len(subjects), size)
    )
