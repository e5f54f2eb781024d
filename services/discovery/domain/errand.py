"""For whom a call is made, on whose tokens, and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Priority(StrEnum):
    """Whose turn it is when tokens are short."""

    INTERACTIVE = "INTERACTIVE"
    JOB = "JOB"
    BACKGROUND = "BACKGROUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What travels with every paid call.

    Attributes:
        envelope: The reservation to draw on; empty draws on the account.
        max_tokens: The most one call may reserve; 0 is no limit.
        deadline: When the answer is of no more use; None leaves it to the running call.
        traceparent: The trace to go on with, when no call is running.
    """

    caller: str = ""
    envelope: str = ""
    priority: Priority = Priority.INTERACTIVE
    action: str = ""
    job: str = ""
    max_wait: timedelta = timedelta(0)
    max_tokens: int = 0
    deadline: datetime | None = None
    traceparent: str = ""
