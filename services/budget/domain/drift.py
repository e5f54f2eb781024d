"""What the balance should be: a replay of Keepa's bucket with the calls that we know of."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from services.budget.domain.balance import MILLI, Observation
from services.budget.domain.rules import Rules
from services.budget.domain.state import Answered
from services.budget.domain.values import replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The balances that our own calls explain, and the refill that a full bucket can have lost.

    Attributes:
        least: The lowest balance explained.
        most: The highest; they differ when a call was under way while the bucket was full.
        rimless: The balance of a bucket that loses nothing.
        overflow: The most tokens that ticks can have brought and the full bucket not taken.
    """

    least: int
    most: int
    rimless: int
    overflow: int


def explain(
    start: Observation,
    calls: Iterable[Answered],
    end: Observation,
    rules: Rules,
    between: Iterable[Observation] = (),
) -> Explained:
    """Replay Keepa's bucket from one observation to a later one.

    A call is charged somewhere between its arrival and its answer; the two ends bracket
    the truth. One whose answer carried no balance was charged at any time in between, and
    only before or after a full bucket makes a difference. A call that arrived just after a
    tick was due may have been charged before it, because ticks come late.

    What the balances ``between`` the two show missing is only asked for the overflow: a bucket
    that was seen half empty must fill before it can lose anything.
    """
    calls = tuple(calls)
    slack_ms = rules.slack // timedelta(milliseconds=1)
    early = sorted((_or(call.arrived_ms, start.made_ms) - slack_ms, call.tokens) for call in calls)
    late = sorted((_or(call.made_ms, end.made_ms), call.tokens) for call in calls)
    first, second = _replay(start, early, end, rules), _replay(start, late, end, rules)
    lost = max(first[1], second[1])
    inside = _inside(start, between, end) if lost else []
    if end.tokens <= max(first[0], second[0]):  # No gift explains why a lower one was outgrown.
        inside = [seen for seen in inside if not _outgrown(seen, end, rules)]
    if inside:
        lost = min(lost, _lost_through([start, *inside, end], calls, rules))
    return Explained(
        least=min(first[0], second[0]),
        most=max(first[0], second[0]),
        rimless=first[0] + first[1],
        overflow=lost,
    )


def _inside(
    start: Observation, between: Iterable[Observation], end: Observation
) -> list[Observation]:
    """Put the balances in order; one of another plan says nothing about this bucket."""
    inside = [
        seen
        for seen in between
        if seen.refill_rate == start.refill_rate and seen.supersedes(start) and end.supersedes(seen)
    ]
    return sorted(inside, key=lambda seen: (seen.made_ms, -seen.tokens))


def _outgrown(seen: Observation, end: Observation, rules: Rules) -> bool:
    """Whether a balance was lower than the truth: ticks from it do not reach the last one."""
    fraction = 1 if seen.flow_reduction_milli % MILLI else 0
    return end.tokens > seen.tokens + seen.gain(ticks_between(seen, end, rules)) + fraction


def _lost_through(seen: list[Observation], calls: Iterable[Answered], rules: Rules) -> int:
    """Return the most refill that can have been lost between each balance and the next.

    Charged are the calls that began and ended between two neighbours, as late as can be: one
    that was under way at a balance may be in it already. A balance above the one before it and
    its ticks is a lie or a gift, and fills no bucket.
    """
    slack_ms = rules.slack // timedelta(milliseconds=1)
    start, end = seen[0], seen[-1]
    answered = deque(sorted(calls, key=lambda call: _or(call.made_ms, end.made_ms)))
    lost, tokens = 0, start.tokens
    for last, following in pairwise(seen):
        charges = []
        while answered and _or(answered[0].made_ms, end.made_ms) <= following.made_ms:
            call = answered.popleft()
            if last is start or _or(call.arrived_ms, start.made_ms) > last.made_ms:
                charges.append((_or(call.made_ms, end.made_ms) + slack_ms, call.tokens))
        lost += _replay(replace(last, tokens=tokens), charges, following, rules)[1]
        rise = last.gain(ticks_between(last, following, rules))
        tokens = min(following.tokens, max(tokens, min(start.capacity, tokens + rise)))
    return lost


def ticks_between(start: Observation, end: Observation, rules: Rules) -> int:
    """Count Keepa's ticks between two observations.

    Both announce their next tick to the millisecond, so the distance of the two is a whole
    number of ticks, give or take the drift of a fraction of a tick in a day.
    """
    return max(0, round((end.next_tick_ms - start.next_tick_ms) / rules.tick_ms))


def spilled(start: Observation, end: Observation, rules: Rules) -> int:
    """Return the refill that a full bucket loses between two observations without any call."""
    return _replay(start, [], end, rules)[1]


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
