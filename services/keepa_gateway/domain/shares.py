"""One call, several payers: how its cost falls on them, to the token."""

from collections.abc import Sequence


def shares(tokens: int, weights: Sequence[int]) -> list[int]:
    """Split a cost in proportion to weights, in whole tokens that add up to it.

    Exact whenever each unit of weight cost the same, as for products of one price; else the
    first ones carry what cannot be divided.

    Args:
        tokens: What Keepa charged for the whole call.
        weights: How much of the call each payer asked for; at least one above 0.
    """
    whole = sum(weights)
    parts = [tokens * weight // whole for weight in weights]
    rest = tokens - sum(parts)
    for place, weight in enumerate(weights):
        if rest and weight:
            parts[place] += 1
            rest -= 1
    return parts
