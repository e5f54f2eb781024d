"""Why a search ended before everything was found, whoever's refusal ended it."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from services.chassis.errors import Refusal


class StopReason(StrEnum):
    """Why a search ended early."""

    RATE_LIMITED = "RATE_LIMITED"
    INSUFFICIENT_TOKENS = "INSUFFICIENT_TOKENS"
    ENVELOPE_ENDED = "ENVELOPE_ENDED"
    DEADLINE = "DEADLINE"
    KEEPA_UNAVAILABLE = "KEEPA_UNAVAILABLE"
    KEY_REJECTED = "KEY_REJECTED"
    THROTTLED = "THROTTLED"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Stop:
    """The end of a search, and when it could go on."""

    reason: StopReason
    message: str = ""
    retry_after: timedelta | None = None

    @property
    def passing(self) -> bool:
        """Whether a job may sit it out: the way to Keepa is closed for a moment."""
        return self.reason in _PASSING


# A deadline is one call's own; whether the job has time left is asked apart.
_PASSING = frozenset(
    {
        StopReason.DEADLINE,
        StopReason.THROTTLED,
        StopReason.KEEPA_UNAVAILABLE,
        StopReason.UPSTREAM_UNAVAILABLE,
    }
)
_REASONS = {
    "KEEPA_RATE_LIMITED": StopReason.RATE_LIMITED,
    "INSUFFICIENT_TOKENS": StopReason.INSUFFICIENT_TOKENS,
    "BALANCE_UNKNOWN": StopReason.INSUFFICIENT_TOKENS,
    "COST_EXCEEDS_CAPACITY": StopReason.INSUFFICIENT_TOKENS,
    "QUEUE_FULL": StopReason.INSUFFICIENT_TOKENS,
    "RESERVATION_ENDED": StopReason.ENVELOPE_ENDED,
    "RESERVATION_NOT_FOUND": StopReason.ENVELOPE_ENDED,
    "ENVELOPE_EXHAUSTED": StopReason.ENVELOPE_ENDED,
    "TOO_EXPENSIVE": StopReason.ENVELOPE_ENDED,
    "DEADLINE_TOO_SHORT": StopReason.DEADLINE,
    "DEADLINE_EXCEEDED": StopReason.DEADLINE,
    "CIRCUIT_OPEN": StopReason.KEEPA_UNAVAILABLE,
    "KEEPA_UNAVAILABLE": StopReason.KEEPA_UNAVAILABLE,
    "KEEPA_KEY_REJECTED": StopReason.KEY_REJECTED,
    "THROTTLED": StopReason.THROTTLED,
    "WAIT_TIMEOUT": StopReason.THROTTLED,
    "OVERLOADED": StopReason.UPSTREAM_UNAVAILABLE,
    "UPSTREAM_UNAVAILABLE": StopReason.UPSTREAM_UNAVAILABLE,
    "BUDGET_UNAVAILABLE": StopReason.UPSTREAM_UNAVAILABLE,
    "STORAGE_UNAVAILABLE": StopReason.UPSTREAM_UNAVAILABLE,
}
_SENTENCES = {
    StopReason.RATE_LIMITED: "Keepa answered 429; no call is made before its next refill.",
    StopReason.INSUFFICIENT_TOKENS: "Too few tokens are available for the next products.",
    StopReason.ENVELOPE_ENDED: "The tokens held for this search are used up or given back.",
    StopReason.DEADLINE: "Too little time was left for the next products.",
    StopReason.KEEPA_UNAVAILABLE: "Keepa does not answer properly at present.",
    StopReason.KEY_REJECTED: "Keepa does not accept the API key.",
    StopReason.THROTTLED: "The limit of requests per minute was reached.",
    StopReason.UPSTREAM_UNAVAILABLE: "A service that is needed for it could not be reached.",
}
_BUDGET = "budget.arbitragevault"


def stop_for(refusal: Refusal) -> Stop:
    """Say why a refused call ends a search."""
    reason = _REASONS.get(refusal.reason, StopReason.FAULT)
    if refusal.reason == "WAIT_TIMEOUT" and refusal.domain == _BUDGET:
        reason = StopReason.INSUFFICIENT_TOKENS
    return Stop(reason, refusal.message, refusal.retry_after)


def stop_named(code: str, retry_after: timedelta | None) -> Stop:
    """Say why a product was not fetched, from the code that came with it, in a sentence."""
    reason = _REASONS.get(code, StopReason.FAULT)
    return Stop(
        reason, _SENTENCES.get(reason, f"The products could not be fetched: {code}."), retry_after
    )
