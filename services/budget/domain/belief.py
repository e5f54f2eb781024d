"""Whether a stated balance is believed: what our own calls and ticks explain of it."""

from uuid import UUID

from services.budget.domain.balance import MILLI, Observation
from services.budget.domain.drift import Explained, explain, spilled, ticks_between
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import ANSWERED_LIMIT, Rules, Stage
from services.budget.domain.state import State
from services.budget.domain.values import Value


class Verdict(Value, frozen=True, kw_only=True):
    """What an observation shows against the calls that we know of.

    Attributes:
        closes: Whether a new comparison starts from here.
        fresh: Whether nothing can be told about the stretch that ends here.
    """

    newest: bool = True
    closes: bool = False
    fresh: bool = False
    doubt: int = 0
    missing: int = 0
    credit: int = 0
    overflow: int = 0


def compare(
    state: State, seen: Observation, after_sequence: int, covers: UUID | None = None
) -> Verdict:
    """Compare a new anchor with what our own calls explain since the baseline."""
    if state.baseline is None or state.baseline.observation.refill_rate != seen.refill_rate:
        return Verdict(
            closes=True, fresh=True, doubt=_unearned(state, seen, after_sequence, covers)
        )
    interrupted = overlapped(state, after_sequence, covers)
    remembered = max(len(state.answered), len(state.between))
    full = interrupted and remembered >= ANSWERED_LIMIT
    if interrupted and _plain(state, seen, after_sequence, covers):
        return Verdict(closes=full, fresh=full)
    between = () if interrupted else state.between
    start = state.baseline.observation
    expected = explain(start, state.answered, seen, state.rules, between)
    surplus = max(0, seen.tokens - expected.most)
    if interrupted:
        surplus -= _still_subtracted(state, after_sequence, covers)
        rise = _rise(state, seen, after_sequence, covers)
        return Verdict(closes=full, fresh=full, doubt=max(0, surplus, rise))
    above = max(surplus, _risen(state, seen, after_sequence, covers))
    if above > state.doubt:
        return Verdict(doubt=above)
    return _closing(expected, seen, surplus)


def contradicts(state: State, older: Observation) -> bool:
    """Whether the anchor is in doubt once a balance older than it is heard of.

    Calls only take tokens away: after the older balance the anchor can hold no more than it and
    its ticks. An anchor that was in doubt before may have hidden what a call took that was out.
    """
    return bool(state.doubt) or _excess(state, older) > 0


def doubted(
    state: State, older: Observation, after_sequence: int, covers: UUID | None = None
) -> int:
    """Tokens of the anchor that are not believed, now that an older balance is heard of."""
    doubt = max(state.doubt, _excess(state, older))
    base, anchor = state.baseline, state.anchor
    if not doubt or base is None or anchor is None:
        return doubt
    last = anchor.observation
    if base.observation.refill_rate != last.refill_rate:
        return doubt
    known = explain(base.observation, state.answered, last, state.rules).most
    known += _still_subtracted(state, after_sequence, covers)
    return max(doubt, last.tokens - known)


def narrows(state: State, older: Observation) -> bool:
    """Whether a balance older than the anchor lowers what can have overflowed before it.

    Without it, what is booked in the end would depend on the order in which balances arrive.
    """
    base, anchor = state.baseline, state.anchor
    if base is None or anchor is None or not older.supersedes(base.observation):
        return False
    last, following = base.observation, anchor.observation
    if not older.refill_rate == last.refill_rate == following.refill_rate:
        return False
    for seen in state.between:
        if not seen.supersedes(older):
            last = seen if seen.supersedes(last) else last
        elif following.supersedes(seen):
            following = seen
    apart = spilled(last, older, state.rules) + spilled(older, following, state.rules)
    return apart < spilled(last, following, state.rules)


def _still_subtracted(state: State, after_sequence: int, covers: UUID | None) -> int:
    """Costs that this balance may show or not: they stay subtracted, and so are not doubted."""
    costs = state.uncovered.items() if state.uncovered else ()
    return sum(
        cost.tokens for call, cost in costs if call != covers and cost.sequence > after_sequence
    )


def _excess(state: State, older: Observation) -> int:
    """Tokens of the anchor above an older balance and its ticks.

    A balance older than two others tells nothing: one of the two is true at least, and the anchor
    was weighed against the one before it. What both show above it was given since.
    """
    if state.anchor is None or state.anchor.observation.refill_rate != older.refill_rate:
        return 0
    if state.previous is not None and not older.supersedes(state.previous):
        return 0
    return _beyond(older, state.anchor.observation, state.rules)


def _unearned(state: State, seen: Observation, after_sequence: int, covers: UUID | None) -> int:
    """Tokens that the poorer of two plans does not explain; the first balance ever is believed.

    When between the two the plan changed, nobody knows; the next balance settles it.
    """
    if state.anchor is None:
        return 0
    last = state.anchor.observation
    rate = min(last.refill_rate, seen.refill_rate)
    known = last.tokens - state.doubt + ticks_between(last, seen, state.rules) * rate
    above = max(0, seen.tokens - known)
    return above and above + _newly_covered(state, after_sequence, covers)


def _newly_covered(state: State, after_sequence: int, covers: UUID | None) -> int:
    """Costs that this balance should show; no proof that it does when it rose for no reason."""
    return state.uncovered_tokens - _still_subtracted(state, after_sequence, covers)


def _rise(state: State, seen: Observation, after_sequence: int, covers: UUID | None) -> int:
    """Tokens above the last balance and its ticks.

    What the calls that are out have taken by now is not known, and would leave room for a lie
    of their size; but none of them gives tokens back. Costs that the last balance did not show
    stay subtracted from it: one that rose for no reason is no proof that it shows them.
    """
    if state.anchor is None:
        return 0
    rise = _beyond(state.anchor.observation, seen, state.rules)
    return rise and rise + _newly_covered(state, after_sequence, covers)


def _risen(state: State, seen: Observation, after_sequence: int, covers: UUID | None) -> int:
    """Tokens above what was believed of the last balance and its ticks.

    What a stranger took since the baseline would leave room for a lie of that size. Ticks of a
    reduced rate carry fractions, and may bring one token more than they seem to.
    """
    if state.anchor is None or (state.anchor is state.baseline and not state.doubt):
        return 0  # The comparison with the baseline tells the same, and more.
    fraction = 1 if state.anchor.observation.flow_reduction_milli % MILLI else 0
    return _rise(state, seen, after_sequence, covers) + state.doubt - fraction


def _beyond(start: Observation, end: Observation, rules: Rules) -> int:
    """Tokens of a balance above an older one and the ticks between them."""
    return max(0, end.tokens - start.tokens - start.gain(ticks_between(start, end, rules)))


def _plain(state: State, seen: Observation, after_sequence: int, covers: UUID | None) -> bool:
    """Whether the last balance and its ticks explain this one; saves the long comparison.

    Of the calls known by now only the newest can have been charged since the last balance,
    where none ended without a balance of its own.
    """
    if state.doubt or state.anchor is None:
        return False
    if any(cost <= after_sequence for cost in uncovered(state, covers)):
        return False
    last = state.anchor.observation
    call = state.answered[-1] if state.answered else None
    after = call is not None and (call.arrived_ms or 0) >= last.made_ms
    spent = call.tokens if call is not None and after else 0
    return seen.tokens <= last.tokens + last.gain(ticks_between(last, seen, state.rules)) - spent


def _closing(expected: Explained, seen: Observation, surplus: int) -> Verdict:
    """Divide what our own calls do not explain.

    Whatever the bucket did not gain has overflowed as far as every balance in between allows
    that it was full, for nobody can be shown to have taken it; the rest is missing.
    """
    gone = max(0, expected.rimless + surplus - seen.tokens)
    overflow = min(gone, expected.overflow)
    return Verdict(closes=True, missing=gone - overflow, credit=surplus, overflow=overflow)


def overlapped(state: State, after_sequence: int, covers: UUID | None = None) -> bool:
    """Whether a call overlaps the stretch and has no answer of its own yet."""
    if state.held_calls:
        return True
    if any(cost > after_sequence for cost in uncovered(state, covers)):
        return True
    return any(each.sequence > after_sequence for each in unknown(state))


def uncovered(state: State, covers: UUID | None = None) -> list[int]:
    """Return where the costs were entered that no balance shows yet."""
    if not state.uncovered:
        return []
    return [cost.sequence for call, cost in state.uncovered.items() if call != covers]


def unknown(state: State) -> list[Reservation]:
    """Return the calls whose outcome is unknown, oldest first."""
    if not state.unsettled:
        return []
    unknown = [each for each in state.live.values() if each.stage is Stage.UNKNOWN]
    return sorted(unknown, key=lambda each: (each.created_at, each.sequence))
