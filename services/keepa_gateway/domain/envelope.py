"""The token data that every Keepa answer carries, believed only where plausible."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

MINUTES_OF_CAPACITY = 60
LONGEST_REFILL_MS = 61_000
LONGEST_PROCESSING_MS = 600_000
HIGHEST_RATE = 1_000_000
HIGHEST_COST = 100_000
# Keepa lets a call run at 1 token, so debts are real; -249 was seen on a bucket of 300. A hundred
# products with a hundred offers each, several times over, stays above this.
DEEPEST_DEBT = -50_000
# A lying timestamp from the future would outrank every later observation for good.
CLOCK_TOLERANCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A balance as Keepa stated it.

    Attributes:
        timestamp_ms: When the request reached Keepa, by its clock, in ms since 1970.
        processing_ms: How long Keepa worked on the answer.
        tokens_left: The balance when the answer was made; negative is a debt.
        refill_in_ms: From then to the next tick.
        refill_rate: Tokens per minute of the plan.
        flow_reduction: Tokens per minute that trackings take off it.
    """

    timestamp_ms: int
    processing_ms: int
    tokens_left: int
    refill_in_ms: int
    refill_rate: int
    flow_reduction: float

    @property
    def made_at(self) -> datetime:
        """When the answer was made, by Keepa's clock."""
        return datetime.fromtimestamp((self.timestamp_ms + self.processing_ms) / 1000, UTC)

    @property
    def capacity(self) -> int:
        """The most the bucket holds: tokens live for an hour."""
        return MINUTES_OF_CAPACITY * self.refill_rate


class KeepaError(msgspec.Struct, frozen=True):
    """What Keepa says is wrong; sent with any status, 200 included."""

    type: Any = ""
    message: Any = ""
    details: Any = None

    def sentence(self) -> str:
        """One line for a refusal."""
        about = f" ({self.details})" if self.details else ""
        return printable(f"{self.type or 'error'}: {self.message}{about}"[:300])


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """The token fields as sent, of whatever type; see `observation` and `consumed`."""

    timestamp: Any = None
    tokens_left: Any = None
    refill_in: Any = None
    refill_rate: Any = None
    token_flow_reduction: Any = None
    tokens_consumed: Any = None
    processing_time_in_ms: Any = None
    error: KeepaError | None = None

    @property
    def all_zero(self) -> bool:
        """Whether this is the envelope of a rejected key, which is no statement of a balance."""
        fields = (self.tokens_left, self.refill_in, self.refill_rate)
        return all(field == 0 and _whole(field) for field in fields)

    @property
    def consumed(self) -> int | None:
        """What the call cost, or nothing when the answer does not say so believably."""
        return _within(self.tokens_consumed, 0, HIGHEST_COST)

    def observation(self, now: datetime) -> Observation | None:
        """The balance this states, or nothing when any of its values cannot be true.

        Args:
            now: The local instant, to tell a lying timestamp.
        """
        rate = _within(self.refill_rate, 1, HIGHEST_RATE)
        if rate is None:
            return None
        left = _within(self.tokens_left, DEEPEST_DEBT, MINUTES_OF_CAPACITY * rate)
        refill = _within(self.refill_in, 0, LONGEST_REFILL_MS)
        processing = _within(self.processing_time_in_ms, 0, LONGEST_PROCESSING_MS)
        arrived = _near(self.timestamp, now)
        reduction = self.token_flow_reduction or 0
        if left is None or refill is None or processing is None or arrived is None:
            return None
        if isinstance(reduction, bool) or not isinstance(reduction, int | float):
            return None
        if not 0 <= reduction <= HIGHEST_RATE:
            return None
        return Observation(
            timestamp_ms=arrived,
            processing_ms=processing,
            tokens_left=left,
            refill_in_ms=refill,
            refill_rate=rate,
            flow_reduction=float(reduction),
        )


def printable(text: str) -> str:
    """Text without what no database or terminal takes, such as the character 0."""
    return "".join(character if character.isprintable() else " " for character in text)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _within(value: object, least: int, most: int) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    return None


def _near(value: object, now: datetime) -> int | None:
    instant = round(now.timestamp() * 1000)
    tolerance = round(CLOCK_TOLERANCE.total_seconds() * 1000)
    return _within(value, instant - tolerance, instant + tolerance)
