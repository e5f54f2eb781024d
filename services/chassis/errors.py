"""The one failure that crosses a border: a refusal with its kind, its reason and its numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from types import MappingProxyType


class Kind(Enum):
    """What a caller can do about a refusal, in the words of the canonical status codes."""

    INVALID_ARGUMENT = auto()
    NOT_FOUND = auto()
    ALREADY_EXISTS = auto()
    FAILED_PRECONDITION = auto()
    ABORTED = auto()
    RESOURCE_EXHAUSTED = auto()
    UNAVAILABLE = auto()
    DEADLINE_EXCEEDED = auto()
    UNAUTHENTICATED = auto()
    PERMISSION_DENIED = auto()
    UNIMPLEMENTED = auto()


@dataclass(frozen=True)
class FieldViolation:
    """One field of a request that breaks its rule.

    Attributes:
        field: The path of the field in the request, as in ``filter.min_price_cents``.
        description: What is allowed, as a sentence.
    """

    field: str
    description: str


class Refusal(Exception):  # noqa: N818 - the word of the whole product for a planned failure
    """A planned answer that is not the one asked for; anything else that is raised is a bug.

    Attributes:
        kind: What the caller can do about it.
        reason: An ``ErrorReason`` of the answering service, without its prefix.
        message: A sentence for people, with the numbers in it.
        facts: The same numbers for programs, by name.
        retry_after: How long until the same request can succeed; ``None`` when waiting is no cure.
        violations: The fields at fault, for ``INVALID_FIELD``.
        resource: Type and name of what is missing or in the way.
        domain: ``<service>.arbitragevault`` of a refusal passed on; ``None`` is this service's own.
    """

    def __init__(
        self,
        kind: Kind,
        reason: str,
        message: str,
        *,
        facts: Mapping[str, str | int] = MappingProxyType({}),
        retry_after: timedelta | None = None,
        violations: Sequence[FieldViolation] = (),
        resource: tuple[str, str] | None = None,
        domain: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.reason = reason
        self.message = message
        self.facts = dict(facts)
        self.retry_after = retry_after
        self.violations = tuple(violations)
        self.resource = resource
        self.domain = domain

    def __repr__(self) -> str:
        return f"Refusal({self.kind.name}, {self.reason}, {self.message!r}, facts={self.facts})"


def invalid_field(field: str, description: str) -> Refusal:
    """Refuse a request for one field that its annotations could not check."""
    return invalid_fields([FieldViolation(field, description)])


def invalid_fields(violations: Sequence[FieldViolation]) -> Refusal:
    """Refuse a request for all of ``violations``, at least one; the message tells the first.

    Their ``field`` is empty where a rule is about the request as a whole.
    """
    first = violations[0]
    told = f"{first.field}: {first.description}" if first.field else first.description
    rest = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    return Refusal(Kind.INVALID_ARGUMENT, "INVALID_FIELD", told + rest, violations=violations)
