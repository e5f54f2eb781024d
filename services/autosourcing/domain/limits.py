"""The safeguards of a job: how much it may spend, for how long, on how many products."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Limits:
    """The bounds that every job keeps; each is a setting (docs/safeguards.md).

    Attributes:
        tokens_per_job: The most tokens that a job's first pass may be estimated at.
        job_timeout: How long a job may run, from the moment it starts.
        products_per_search: Products analysed when neither caller nor profile says.
        minimum_balance: Tokens that must be available before any paid job starts.
        floor: Tokens that every grant leaves in the account.
        background_floor: The same for a job that nobody waits for.
        answer_margin: How long before the deadline an answer may say that time is up.
        settle_grace: How long an envelope outlives its job's deadline.
        recent_window: How long a product counts as analysed recently.
        first_batch: Products in the first scoring request: small, so picks appear early.
        largest_batch: The most products in one scoring request: Keepa's own maximum.
        longest_wait: The longest that a job may wait for its gate.
    """

    tokens_per_job: int = 200
    job_timeout: timedelta = timedelta(seconds=120)
    products_per_search: int = 10
    minimum_balance: int = 50
    floor: int = 10
    background_floor: int = 50
    answer_margin: timedelta = timedelta(seconds=5)
    settle_grace: timedelta = timedelta(seconds=150)
    recent_window: timedelta = timedelta(days=7)
    first_batch: int = 5
    largest_batch: int = 100
    longest_wait: timedelta = timedelta(hours=1)


def floor(limits: Limits, *, background: bool) -> int:
    """Tokens that the envelope of a job leaves in the account."""
    return limits.background_floor if background else limits.floor


def gate(limits: Limits, estimated_tokens: int, *, background: bool = False) -> int:
    """Tokens that must be available before a job of this estimate may start."""
    return max(limits.minimum_balance, estimated_tokens + floor(limits, background=background))


def hold_time(limits: Limits) -> timedelta:
    """How long an envelope is held when nobody releases it."""
    return limits.job_timeout + limits.settle_grace
