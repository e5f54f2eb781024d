"""What a caller is told when a call brought nothing."""

import math
from datetime import timedelta

from services.chassis.errors import Kind, Refusal
from services.keepa_gateway.domain.attempt import Attempt
from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.egress import key_rejected
from services.keepa_gateway.domain.outcome import Verdict
from services.keepa_gateway.domain.pacing import pause

RETRY_SOON = timedelta(seconds=2)


def of_attempt(attempt: Attempt, tick: timedelta) -> Refusal | None:
    """Why an attempt brought nothing, or nothing when it was answered."""
    match attempt.verdict:
        case Verdict.KEY_REJECTED:
            return key_rejected()
        case Verdict.RATE_LIMITED:
            return rate_limited(attempt, tick)
        case Verdict.REJECTED:
            return Refusal(
                Kind.INVALID_ARGUMENT,
                "KEEPA_REQUEST_REJECTED",
                attempt.reason,
                facts=_said(attempt),
            )
        case Verdict.UNSENT | Verdict.FAILED:
            return Refusal(
                Kind.UNAVAILABLE,
                "KEEPA_UNAVAILABLE",
                attempt.reason,
                facts=_said(attempt),
                retry_after=RETRY_SOON,
            )
        case Verdict.UNKNOWN:
            return outcome_unknown(attempt)
        case _:
            return None


def of_call(refusal: Refusal, call: Call, *, balance: int | None = None) -> Refusal:
    """Tell with a refusal what the call would have held, and the balance where it is known.

    Both become headers, so that a client reads one form of refusal whatever stood in the way.
    """
    if refusal.kind is not Kind.RESOURCE_EXHAUSTED:
        return refusal
    known = {"required": call.cost.most} | ({} if balance is None else {"balance": balance})
    return Refusal(
        refusal.kind,
        refusal.reason,
        refusal.message,
        facts=known | refusal.facts,
        retry_after=refusal.retry_after,
        domain=refusal.domain,
    )


def rate_limited(attempt: Attempt, tick: timedelta) -> Refusal:
    """The refusal of the very call that met the 429."""
    balance = attempt.observation.tokens_left if attempt.observation else 0
    return Refusal(
        Kind.RESOURCE_EXHAUSTED,
        "KEEPA_RATE_LIMITED",
        f"Keepa answered 429 at a balance of {balance}; everybody waits.",
        facts={"balance": balance, "required": attempt.bound, "http_status": 429},
        retry_after=pause(attempt.observation, tick),
    )


def outcome_unknown(attempt: Attempt) -> Refusal:
    """The answer was lost; asking again would perhaps pay twice."""
    unsettled = 0 if attempt.settled else attempt.bound
    return Refusal(
        Kind.UNAVAILABLE,
        "OUTCOME_UNKNOWN",
        f"The answer was lost and up to {attempt.bound} tokens may have been paid for it; it is "
        "not asked again by itself.",
        facts={"bound": attempt.bound, "unsettled": unsettled},
    )


def _said(attempt: Attempt) -> dict[str, str | int]:
    facts: dict[str, str | int] = {"tokens": attempt.consumed or 0}
    if attempt.http_status is not None:
        facts["http_status"] = attempt.http_status
    if attempt.error is not None:
        facts["keepa_type"] = str(attempt.error.type)
        facts["keepa_details"] = str(attempt.error.details or "")
    return facts


def request_id_reused() -> Refusal:
    """The id belongs to a request with other content."""
    return Refusal(
        Kind.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
        "This request_id was used for a request with other content; take a new one.",
    )


def deadline_too_short(left: float, usual: timedelta) -> Refusal:
    """Nobody would be there to hear the answer."""
    return Refusal(
        Kind.DEADLINE_EXCEEDED,
        "DEADLINE_TOO_SHORT",
        f"{max(left, 0):.2f} s are left, but such a call usually takes "
        f"{usual.total_seconds():.1f} s; nothing was spent.",
        facts={
            "remaining_ms": max(round(left * 1000), 0),
            "usual_ms": round(usual.total_seconds() * 1000),
        },
    )


def refuse_beyond(allowed: int, required: int) -> None:
    """Keep to the caller's own limit; 0 is none.

    Raises:
        Refusal: TOO_EXPENSIVE.
    """
    if allowed and required > allowed:
        raise Refusal(
            Kind.INVALID_ARGUMENT,
            "TOO_EXPENSIVE",
            f"The request may cost {required} tokens, but allows {allowed}.",
            facts={"required": required, "max_allowed": allowed},
        )


def held_too_late() -> Refusal:
    """Tokens were held twice, and each time too little of the hold was left for the call."""
    return Refusal(
        Kind.UNAVAILABLE,
        "BUDGET_UNAVAILABLE",
        "The token budget answers too slowly for a call to leave in time; nothing was spent.",
        retry_after=RETRY_SOON,
    )


def throttled(wait: timedelta, per_minute: int, *, waited: bool) -> Refusal:
    """The request-rate throttle has no place in time."""
    return Refusal(
        Kind.RESOURCE_EXHAUSTED,
        "WAIT_TIMEOUT" if waited else "THROTTLED",
        f"At {per_minute} requests per minute the next place is free in "
        f"{wait.total_seconds():.1f} s.",
        facts={"per_minute": per_minute, "wait_ms": math.ceil(wait.total_seconds() * 1000)},
        retry_after=wait,
    )
