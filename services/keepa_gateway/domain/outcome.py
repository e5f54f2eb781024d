"""What became of a call: the one table that decides whether tokens were spent."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus

from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.envelope import Envelope, KeepaError, Observation

KEY_REFUSALS = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
)


class Verdict(StrEnum):
    """The kinds of outcome; what each means for the tokens stands beside it."""

    ANSWERED = "answered"  # Charged what the envelope says.
    REJECTED = "rejected"  # Keepa refused the content; charged what the envelope says, usually 0.
    RATE_LIMITED = "rate_limited"  # Not executed: the balance was not positive. Charged 0.
    KEY_REJECTED = "key_rejected"  # Not executed. Charged 0; nobody calls again.
    FAILED = "failed"  # Keepa failed and said what it charged all the same.
    UNSENT = "unsent"  # Nothing left this machine: charged 0 with certainty.
    UNKNOWN = "unknown"  # Sent, and perhaps charged.

    @property
    def harms(self) -> bool:
        """Whether it counts against the circuit breaker."""
        return self in (Verdict.FAILED, Verdict.UNSENT, Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one call.

    Attributes:
        consumed: What Keepa charged; nothing when that is not known.
        observation: The balance the answer stated, when believable.
        reason: What went wrong, as a sentence without secrets; empty when nothing did.
        error: What Keepa itself said about it.
        status: Of the HTTP answer; nothing when none came.
    """

    verdict: Verdict
    consumed: int | None = None
    observation: Observation | None = None
    reason: str = ""
    error: KeepaError | None = None
    status: int | None = None


def unsent(reason: str) -> Outcome:
    """The call certainly never left: it may be tried again, and costs nothing."""
    return Outcome(verdict=Verdict.UNSENT, consumed=0, reason=reason)


def unknown(reason: str) -> Outcome:
    """The call may have been charged; only a later balance can tell."""
    return Outcome(verdict=Verdict.UNKNOWN, reason=reason)


def unreadable(status: int, body: bytes = b"") -> Outcome:
    """Judge an answer whose body holds no envelope, by its status alone.

    A hash of the body is kept with the attempt, to tell one kind of rubbish from another.
    """
    if status in KEY_REFUSALS:
        reason = f"Keepa refused the key with HTTP {status}."
        return Outcome(verdict=Verdict.KEY_REJECTED, consumed=0, reason=reason, status=status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        reason = "Keepa answered HTTP 429 without a balance."
        return Outcome(verdict=Verdict.RATE_LIMITED, consumed=0, reason=reason, status=status)
    told = f"{len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()[:16]}"
    reason = f"Keepa answered HTTP {status} with an unreadable body ({told})."
    return replace(unknown(reason), status=status)


def unusable(outcome: Outcome, reason: str) -> Outcome:
    """An answer that is here and of no use: it failed, and costs what it says.

    Where it does not say, the cost is as unknown as that of a lost one, and nobody asks again.
    """
    verdict = Verdict.UNKNOWN if outcome.consumed is None else Verdict.FAILED
    return replace(outcome, verdict=verdict, reason=reason)


def judge(
    call: Call, status: int, envelope: Envelope, fields: Collection[str], now: datetime
) -> Outcome:
    """Judge an answer by its body first and its status second.

    ``fields`` names what the body holds at its top level; ``now`` tells a lying timestamp.
    """
    verdict, reason = _verdict(call, status, envelope, fields)
    consumed = envelope.consumed
    if verdict in (Verdict.RATE_LIMITED, Verdict.KEY_REJECTED):
        consumed = consumed or 0
    elif consumed is None and verdict is not Verdict.ANSWERED:
        verdict, reason = Verdict.UNKNOWN, f"{reason} The answer states no believable cost."
    return Outcome(
        verdict=verdict,
        consumed=consumed,
        observation=envelope.observation(now),
        reason=reason,
        error=envelope.error,
        status=status,
    )


def _verdict(
    call: Call, status: int, envelope: Envelope, fields: Collection[str]
) -> tuple[Verdict, str]:
    said = f" {envelope.error.sentence()}" if envelope.error else ""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Verdict.RATE_LIMITED, "Keepa answered HTTP 429: the balance is not positive."
    if status in KEY_REFUSALS or (envelope.all_zero and _accountable(status)):
        return Verdict.KEY_REJECTED, f"Keepa refused the key with HTTP {status}.{said}"
    if status == HTTPStatus.OK and envelope.error is None:
        if call.wanted in fields or call.optional:
            return Verdict.ANSWERED, ""
        return Verdict.REJECTED, f"Keepa's answer lacks {call.wanted!r}."
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Verdict.REJECTED, f"Keepa rejected the request with HTTP {status}.{said}"
    return Verdict.FAILED, f"Keepa failed with HTTP {status}.{said}"


def _accountable(status: int) -> bool:
    """Whether Keepa itself speaks: a wrong path or a fault has an empty envelope for any key."""
    return status != HTTPStatus.NOT_FOUND and status < HTTPStatus.INTERNAL_SERVER_ERROR
