"""The numbers of the ledger: floors, thresholds, limits, and the length of Keepa's tick."""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum
from functools import cached_property

MINIMUM_BALANCE = 10  # T4: no spend may leave less.
SAFETY_BUFFER = 20  # T4: below this the balance is LOW.
ALERT_BALANCE = 50  # T4: below this somebody should know; also the least a job starts with.
STALE_AFTER = timedelta(seconds=180)  # T5: an older balance is no balance.
CLOCK_STEP = timedelta(seconds=5)  # An observation this far in the future means the clock stepped.
KEEPA_AHEAD = timedelta(minutes=10)  # Keepa's time further ahead of ours is not believed.
MINUTES_KEPT = 60  # Tokens live one hour: capacity = 60 x rate. keepa_api.md 1.1.
KEEPA_TICK = timedelta(seconds=60.2)  # Measured; not 60.0. keepa_api.md 1.1.
CERTAIN_SPACING = timedelta(seconds=60.25)  # Each recorded tick came at most 46 ms late,
CERTAIN_SLACK = timedelta(milliseconds=300)  # and one 267 ms.
ESTIMATES_LIMIT = 100  # Settled calls remembered, for one of them may still be told late.
ANSWERED_LIMIT = 1000  # Calls remembered for drift before the comparison starts afresh.


class Priority(IntEnum):
    """Whose turn it is when tokens are short; smaller goes first."""

    INTERACTIVE = 1
    JOB = 2
    BACKGROUND = 3

    @property
    def floor(self) -> int:
        """Tokens that a grant of this priority leaves in the account."""
        return ALERT_BALANCE if self is Priority.BACKGROUND else MINIMUM_BALANCE


class Kind(StrEnum):
    """What a reservation is for."""

    CALL = "CALL"
    ENVELOPE = "ENVELOPE"


class Stage(StrEnum):
    """Where a reservation stands in its life."""

    WAITING = "WAITING"
    HELD = "HELD"
    COMMITTED = "COMMITTED"
    RELEASED = "RELEASED"
    UNKNOWN = "UNKNOWN"
    SETTLED = "SETTLED"


class Reason(StrEnum):
    """Why tokens went back."""

    NOT_SENT = "NOT_SENT"
    FINISHED = "FINISHED"
    EXPIRED = "EXPIRED"
    WAIT_ENDED = "WAIT_ENDED"


@dataclass(frozen=True)
class Rules:
    """What may differ between installations.

    Attributes:
        tick: Keepa's refill step; shorter only against a sandbox whose time is scaled.
        queue_limit: Reservations that may wait at once.
    """

    tick: timedelta = KEEPA_TICK
    queue_limit: int = 1000

    @cached_property
    def spacing(self) -> timedelta:
        """From one certain tick to the next."""
        return self.tick * CERTAIN_SPACING.total_seconds() / KEEPA_TICK.total_seconds()

    @cached_property
    def slack(self) -> timedelta:
        """How much later than announced the first tick counts."""
        return self.tick * CERTAIN_SLACK.total_seconds() / KEEPA_TICK.total_seconds()

    @cached_property
    def tick_ms(self) -> float:
        """Keepa's refill step in its own unit."""
        return self.tick / timedelta(milliseconds=1)


STANDARD = Rules()
