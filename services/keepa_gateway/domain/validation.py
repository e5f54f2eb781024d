"""Checks that several requests share, and the one refusal they end in."""

from collections.abc import Callable, Iterable

from services.chassis.errors import FieldViolation, Kind, Refusal
from services.keepa_gateway.domain.markets import MARKETS


def domain_violations(domain: int) -> Iterable[FieldViolation]:
    """Say that a marketplace is none of Keepa's."""
    if domain not in MARKETS:
        yield FieldViolation("domain", "must be a Keepa marketplace: 1 to 12 without 7")


def normal_form(
    name: str, values: Iterable[str], normal: Callable[[str], str | None]
) -> tuple[tuple[str, ...], list[FieldViolation]]:
    """Bring identifiers into their usual form, each once; the first of equals keeps its place."""
    kept: dict[str, None] = {}
    violations: list[FieldViolation] = []
    for place, value in enumerate(values):
        usual = normal(value)
        if usual is None:
            violations.append(FieldViolation(f"{name}[{place}]", f"{value[:20]!r} cannot be valid"))
        else:
            kept[usual] = None
    return tuple(kept), violations


def refuse(violations: list[FieldViolation]) -> None:
    """Refuse with everything that is wrong at once, or do nothing.

    Raises:
        Refusal: INVALID_FIELD, when there is any violation.
    """
    if violations:
        first = violations[0]
        rest = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        raise Refusal(
            Kind.INVALID_ARGUMENT,
            "INVALID_FIELD",
            f"{first.field}: {first.description}{rest}",
            violations=violations,
        )
