"""What a caller gets for each product and for each list."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from uuid import UUID

import msgspec

from services.chassis.errors import Refusal
from services.keepa_gateway.domain.attempt import Attempt
from services.keepa_gateway.domain.snapshot import Snapshot


class Status(IntEnum):
    """What became of a product; the numbers are the contract's."""

    FOUND = 1
    NOT_FOUND = 2
    CACHED = 3
    STALE = 4
    REFUSED = 5
    UNKNOWN = 6


class ProductAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One result of a product request.

    Attributes:
        requested: The ASIN or code that was asked for.
        tokens: What it cost this caller.
        unsettled: Tokens held for it whose outcome is not known.
    """

    requested: str
    status: Status
    snapshot: Snapshot | None = None
    tokens: int = 0
    unsettled: int = 0
    reason: str = ""
    retry_after: timedelta | None = None


class StoredList(msgspec.Struct, frozen=True):
    """A list of ids as it is stored, and how many there are in all.

    Attributes:
        insights: What all of them have in common, as Keepa sent it; empty when not asked for.
    """

    ids: list[str]
    total: int
    insights: bytes = b""

    def packed(self) -> bytes:
        """The bytes that are stored."""
        return msgspec.msgpack.encode(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAnswer:
    """The answer to a list request, and what it cost this caller.

    Attributes:
        payload: As it is stored: a packed `StoredList`, or Keepa's body without token fields.
        fingerprint: What was asked, for pages of the same answer.
    """

    payload: bytes
    tokens: int
    fetched_at: datetime
    cached: bool
    fingerprint: str

    def ids(self) -> StoredList:
        """The answer as a list of ids."""
        return msgspec.msgpack.decode(self.payload, type=StoredList)


def stored(subject: str, snapshot: Snapshot, status: Status) -> ProductAnswer:
    """A stored product; one that Keepa did not know is still not found."""
    if not snapshot.known:
        return ProductAnswer(requested=subject, status=Status.NOT_FOUND, snapshot=snapshot)
    return ProductAnswer(requested=subject, status=status, snapshot=snapshot)


def excused(stale: ProductAnswer, refusal: Refusal | None) -> ProductAnswer:
    """An old product together with why there is no newer one."""
    if refusal is None:
        return stale
    return msgspec.structs.replace(stale, reason=refusal.reason, retry_after=refusal.retry_after)


def refused(subject: str, refusal: Refusal | None) -> ProductAnswer:
    """A product that was not fetched, and why; without a refusal nobody asked for more."""
    return ProductAnswer(
        requested=subject,
        status=Status.REFUSED,
        reason=refusal.reason if refusal else "NOT_STORED",
        retry_after=refusal.retry_after if refusal else None,
    )


def unknown(subject: str, attempt: Attempt, *, asked_by: UUID) -> ProductAnswer:
    """A product whose answer was lost; its share of the bound is still held by who asked for it.

    ``asked_by`` is the request that is answered: who waited for another's call holds nothing.
    """
    own = attempt.request_id == asked_by
    return ProductAnswer(
        requested=subject,
        status=Status.UNKNOWN,
        unsettled=attempt.unsettled_each if own else 0,
        reason="OUTCOME_UNKNOWN",
    )


def fetched(subject: str, found: list[Snapshot], attempt: Attempt | None) -> list[ProductAnswer]:
    """Freshly fetched products; the first of a code's carries the cost.

    ``attempt`` is the one that this caller pays for; nothing when somebody else does.
    """
    tokens = attempt.tokens_of(subject) if attempt is not None else 0
    held = attempt.unsettled_each if attempt is not None else 0
    known = [one for one in found if one.known]
    if not known:
        status = Status.NOT_FOUND
        return [ProductAnswer(requested=subject, status=status, tokens=tokens, unsettled=held)]
    first = ProductAnswer(
        requested=subject,
        status=Status.FOUND,
        snapshot=known[0],
        tokens=tokens,
        unsettled=held,
    )
    rest = (
        ProductAnswer(requested=subject, status=Status.FOUND, snapshot=one) for one in known[1:]
    )
    return [first, *rest]
