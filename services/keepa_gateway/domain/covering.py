"""Whether tokens stay held for as long as a call that they pay for may be out."""

from collections.abc import Iterable
from datetime import timedelta

# Of its deadline a call keeps at least this share, or its tokens are held anew.
ENOUGH = 0.5
# Who waited in budget's queue counts the wait as the hold's age; beyond this it is asked about.
NEARLY_ALL = 0.9


def lasts(covers_until: float, now: float, deadline: timedelta, *, share: float = ENOUGH) -> bool:
    """Whether a hold covers so much of a call's deadline that the call may leave at ``now``.

    Args:
        covers_until: The last instant at which the call may be out under the hold.
        now: On the same clock.
        deadline: After which the answer would be given up.
        share: How much of the deadline must be left.
    """
    return covers_until - now >= deadline.total_seconds() * share


def end(began: float, deadline: timedelta, covers_until: Iterable[float]) -> float:
    """The instant at which a call must be over: its own deadline, or before a payer's hold ends.

    Args:
        began: When its intent was to be stored.
        deadline: From then on.
        covers_until: For each of its payers' holds the last instant that it covers.
    """
    return min(began + deadline.total_seconds(), *covers_until)
