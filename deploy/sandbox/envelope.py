"""The fields that every Keepa answer carries, and the bodies of its errors."""

from collections.abc import Mapping
from typing import Any

import msgspec

from deploy.sandbox.bucket import Bucket

Body = dict[str, Any]


class Refused(Exception):  # noqa: N818 - an answer Keepa gives, not a fault of ours
    """Keepa will not do it; nothing is consumed.

    Attributes:
        status: The HTTP status; 200 for the few errors Keepa answers so.
        details: Names the field at fault, or None.
    """

    def __init__(
        self, message: str, *, details: str | None = "", status: int = 400, kind: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.status = status
        self.kind = kind or "invalidParameter"

    def body(self) -> Body:
        """Return the ``error`` object."""
        return {"type": self.kind, "message": self.message, "details": self.details}


def envelope(bucket: Bucket, *, arrived_ms: int, made_ms: int, consumed: int) -> Body:
    """Return the token fields of an answer made at ``made_ms``.

    ``timestamp`` is the arrival; balance and ``refillIn`` are those of the answer, so that
    ``timestamp + processingTimeInMs + refillIn`` is the next tick.
    """
    return {
        "timestamp": arrived_ms,
        "tokensLeft": bucket.left,
        "refillIn": bucket.refill_in_ms(made_ms),
        "refillRate": bucket.rate,
        "tokenFlowReduction": float(bucket.flow_reduction),
        "tokensConsumed": consumed,
        "processingTimeInMs": made_ms - arrived_ms,
    }


def empty_envelope(arrived_ms: int) -> Body:
    """Return the all-zero envelope that goes with a bad key or an unknown path."""
    return {
        "timestamp": arrived_ms,
        "tokensLeft": 0,
        "refillIn": 0,
        "refillRate": 0,
        "tokenFlowReduction": 0.0,
        "tokensConsumed": 0,
        "processingTimeInMs": 0,
    }


def encode(body: Mapping[str, Any]) -> bytes:
    """Return compact JSON with keys in alphabetical order, as Keepa has sent since mid 2025."""
    return msgspec.json.encode(body, order="sorted")
