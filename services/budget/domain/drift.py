"""What the balance should be: a replay of Keepa's bucket with the calls that we know of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from services.budget.domain.balance import Observation
from services.budget.domain.rules import Rules
from services.budget.domain.state import Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The balances that our own calls explain, and the refill lost at the full bucket.

    Attributes:
        least: The lowest balance explained.
        most: The highest; they differ when a call was under way while the bucket was full.
        overflow: Tokens that ticks brought and the full bucket did not take.
    """

    least: int
    most: int
    overflow: int


def explain(
    start: Observation, calls: Iterable[Answered], end: Observation, rules: Rules
) -> Explained:
    """Replay Keepa's bucket from one observation to a later one.

    A call is charged somewhere between its arrival and its answer; the two ends bracket
    the truth. One whose answer carried no balance was charged at any time in between, and
    only before or after a full bucket makes a difference. A call that arrived just after a
    tick was due may have been charged before it, because ticks come late.
    """
    calls = tuple(calls)
    slack_ms = rules.slack // timedelta(milliseconds=1)
    early = sorted((_or(call.arrived_ms, start.made_ms) - slack_ms, call.tokens) for call in calls)
    late = sorted((_or(call.made_ms, end.made_ms), call.tokens) for call in calls)
    first, second = _replay(start, early, end, rules), _replay(start, late, end, rules)
    nearest = min(first, second, key=lambda outcome: abs(outcome[0] - end.tokens))
    return Explained(
        least=min(first[0], second[0]), most=max(first[0], second[0]), overflow=nearest[1]
    )


def ticks_between(start: Observation, end: Observation, rules: Rules) -> int:
    """Count Keepa's ticks between two observations.

    Both announce their next tick to the millisecond, so the distance of the two is a whole
    number of ticks, give or take the drift of a fraction of a tick in a day.
    """
    return max(0, round((end.next_tick_ms - start.next_tick_ms) / rules.tick_ms))


def _or(moment: int | None, otherwise: int) -> int:
    return otherwise if moment is None else moment


def _replay(
    start: Observation, charges: list[tuple[int, int]], end: Observation, rules: Rules
) -> tuple[int, int]:
    """Return the balance at the end and the refill lost, charging at the given moments."""
    ticks = ticks_between(start, end, rules)
    step = (end.next_tick_ms - start.next_tick_ms) / ticks if ticks else rules.tick_ms
    balance, lost, done = start.tokens, 0, 0

    def refill(until: int) -> None:
        nonlocal balance, lost, done
        full = balance + start.gain(until) - start.gain(done)
        kept = full if full < balance else max(balance, min(start.capacity, full))
        balance, lost, done = kept, lost + max(0, full - kept), until

    for moment, tokens in charges:
        passed = int((moment - start.next_tick_ms) // step) + 1
        refill(min(ticks, max(done, passed)))
        balance -= tokens
    refill(ticks)
    return balance, lost
