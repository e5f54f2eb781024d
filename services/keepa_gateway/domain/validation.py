"""Checks that several requests share, and the one refusal they end in."""

from collections.abc import Callable, Iterable

from services.chassis.errors import FieldViolation, invalid_fields
from services.chassis.identifiers import BadIdentifierError
from services.keepa_gateway.domain.markets import MARKETS


def domain_violations(domain: int) -> Iterable[FieldViolation]:
    """Say that a marketplace is none of Keepa's."""
    if domain not in MARKETS:
        yield FieldViolation("domain", "must be a Keepa marketplace: 1 to 12 without 7")


def normal_form(
    name: str, values: Iterable[str], normal: Callable[[str], str]
) -> tuple[tuple[str, ...], list[FieldViolation]]:
    """Bring identifiers into their usual form, each once; the first of equals keeps its place."""
    kept: dict[str, None] = {}
    violations: list[FieldViolation] = []
    for place, value in enumerate(values):
        try:
            kept[normal(value)] = None
        except BadIdentifierError:
            violations.append(FieldViolation(f"{name}[{place}]", f"{value[:20]!r} cannot be valid"))
    return tuple(kept), violations


def refuse(violations: list[FieldViolation]) -> None:
    """Refuse with everything that is wrong at once, or do nothing.

    Raises:
        Refusal: INVALID_FIELD, when there is any violation.
    """
    if violations:
        raise invalid_fields(violations)
