"""How the products of a job are cut into scoring requests."""

from collections.abc import Iterable

from services.autosourcing.domain.limits import Limits


def distinct(asins: Iterable[str]) -> tuple[str, ...]:
    """The same ASINs in the same order, each once."""
    return tuple(dict.fromkeys(asins))


def batch_size(limits: Limits, number: int) -> int:
    """Products in scoring request ``number``, counted from 1.

    The first is small, so that its picks appear early; each next one doubles, so that a
    long job still needs few requests.
    """
    assert number >= 1
    return int(min(limits.largest_batch, limits.first_batch * 2 ** min(number - 1, 16)))
