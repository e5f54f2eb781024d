"""What a stated balance changes: the anchor, what it covers, and what it does not explain."""

from datetime import datetime
from uuid import UUID

from services.budget.domain.balance import Anchor, Observation
from services.budget.domain.commands import Report
from services.budget.domain.draft import Decision, Draft
from services.budget.domain.drift import Explained, explain, ticks_between
from services.budget.domain.entries import (
    BalanceLow,
    Credit,
    Foreign,
    Observed,
    Overflow,
    Settled,
)
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import (
    ALERT_BALANCE,
    ANSWERED_LIMIT,
    KEEPA_AHEAD,
    SAFETY_BUFFER,
    Rules,
    Stage,
)
from services.budget.domain.state import State
from services.budget.domain.values import Value, replace


def report(state: State, command: Report, now: datetime) -> Decision:
    """Record a balance; an older one can still cover commits, and changes nothing else."""
    draft = Draft(state, now)
    accepted = observe(draft, command.observation, command.after_sequence)
    return draft.decision(accepted)


def believable(seen: Observation, now: datetime) -> bool:
    """Whether a body is a statement about the account at all.

    A bad key answers with all zeros, and a time far ahead of ours would stay the newest
    for ever.
    """
    return seen.refill_rate > 0 and seen.made_at - now <= KEEPA_AHEAD


def newer(state: State, seen: Observation) -> bool:
    """Whether an observation would become the anchor."""
    return state.anchor is None or seen.supersedes(state.anchor.observation)


def observe(
    draft: Draft, seen: Observation, after_sequence: int, *, covers: UUID | None = None
) -> bool:
    """Add what an observation says; return whether it is now the newest.

    ``covers`` names the call whose own answer it is.
    Nobody can have read what is not written: a later ``after_sequence`` counts as none.
    """
    state = draft.state
    if not believable(seen, draft.now):
        return False
    after_sequence = after_sequence if after_sequence <= state.sequence else 0
    if not newer(state, seen):
        older = _Verdict(newest=False, doubt=_doubt(state, seen))
        if older.doubt > state.doubt or _reaches(state, after_sequence, covers):
            _enter(draft, seen, after_sequence, older, covers)
        return False
    verdict = _compare(state, seen, after_sequence, covers)
    unknown = [each for each in _unknown(state) if each.sequence <= after_sequence]
    _enter(draft, seen, after_sequence, verdict, covers)
    _settle(draft, verdict, unknown, since=state.baseline)
    _warn(draft, seen.tokens)
    return True


def look_again(draft: Draft, told: Observation | None = None) -> None:
    """Settle by the anchor what could not be settled while a call that it overlaps was out.

    The end of the last such call closes the stretch as well as a new balance would. A surplus
    still waits for one: the same observation is no second one. Where several payers share one
    call, each commits with the one balance that was ``told``: the first could not close the
    stretch because the others were held, and the last one does.
    """
    state = draft.state
    if state.anchor is None or state.anchor == state.baseline:
        return
    if not state.unsettled and told != state.anchor.observation:
        return
    seen, after_sequence = state.anchor.observation, state.anchor.after_sequence
    if _open(state, after_sequence):
        return
    verdict = _compare(state, seen, after_sequence)
    if verdict.closes and not verdict.credit:
        unknown = _unknown(state)
        closing = replace(verdict, newest=False, doubt=max(state.doubt, verdict.doubt))
        _enter(draft, seen, after_sequence, closing)
        _settle(draft, verdict, unknown, since=state.baseline)


class _Verdict(Value, frozen=True, kw_only=True):
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


def _compare(
    state: State, seen: Observation, after_sequence: int, covers: UUID | None = None
) -> _Verdict:
    """Compare a new anchor with what our own calls explain since the baseline."""
    if state.baseline is None or state.baseline.observation.refill_rate != seen.refill_rate:
        return _Verdict(closes=True, fresh=True, doubt=_unearned(state, seen))
    interrupted = _open(state, after_sequence, covers)
    full = interrupted and len(state.answered) >= ANSWERED_LIMIT
    if interrupted and not _uncovered(state, covers) and _plain(state, seen):
        return _Verdict(closes=full, fresh=full)
    expected = explain(state.baseline.observation, state.answered, seen, state.rules)
    surplus = max(0, seen.tokens - expected.most)
    if interrupted:
        return _Verdict(closes=full, fresh=full, doubt=max(surplus, _rise(state, seen)))
    if surplus and not 0 < surplus <= state.doubt:
        return _Verdict(doubt=surplus)
    return _closing(expected, seen, surplus)


def contradicts(state: State, older: Observation) -> bool:
    """Whether the anchor is in doubt once a balance older than it is heard of.

    Calls only take tokens away: after the older balance the anchor can hold no more than it and
    its ticks. An anchor that was in doubt before may have hidden what a call took that was out.
    """
    return bool(state.doubt) or _excess(state, older) > 0


def _excess(state: State, older: Observation) -> int:
    if state.anchor is None or state.anchor.observation.refill_rate != older.refill_rate:
        return 0
    return _beyond(older, state.anchor.observation, state.rules)


def _doubt(state: State, older: Observation) -> int:
    """Tokens of the anchor that are not believed, now that an older balance is heard of."""
    doubt = max(state.doubt, _excess(state, older))
    base, anchor = state.baseline, state.anchor
    if not doubt or base is None or anchor is None:
        return doubt
    last = anchor.observation
    if base.observation.refill_rate != last.refill_rate:
        return doubt
    known = explain(base.observation, state.answered, last, state.rules).most
    return max(doubt, last.tokens - known)


def _reaches(state: State, after_sequence: int, covers: UUID | None) -> bool:
    """Whether a balance that is not the newest covers a cost all the same."""
    if not state.uncovered:
        return False
    return covers in state.uncovered or min(_uncovered(state)) <= after_sequence


def _unearned(state: State, seen: Observation) -> int:
    """Tokens that the poorer of two plans does not explain; the first balance ever is believed.

    When between the two the plan changed, nobody knows; the next balance settles it.
    """
    if state.anchor is None:
        return 0
    last = state.anchor.observation
    rate = min(last.refill_rate, seen.refill_rate)
    known = last.tokens - state.doubt + ticks_between(last, seen, state.rules) * rate
    return max(0, seen.tokens - known)


def _rise(state: State, seen: Observation) -> int:
    """Tokens above the last balance and its ticks.

    What the calls that are out have taken by now is not known, and would leave room for a lie
    of their size; but none of them gives tokens back.
    """
    return 0 if state.anchor is None else _beyond(state.anchor.observation, seen, state.rules)


def _beyond(start: Observation, end: Observation, rules: Rules) -> int:
    """Tokens of a balance above an older one and the ticks between them."""
    return max(0, end.tokens - start.tokens - start.gain(ticks_between(start, end, rules)))


def _plain(state: State, seen: Observation) -> bool:
    """Whether the last balance and its ticks explain this one; saves the long comparison.

    Of the calls known by now only the newest can have been charged since the last balance,
    where none ended without a balance of its own.
    """
    if state.doubt or state.anchor is None:
        return False
    last = state.anchor.observation
    call = state.answered[-1] if state.answered else None
    after = call is not None and (call.arrived_ms or 0) >= last.made_ms
    spent = call.tokens if call is not None and after else 0
    return seen.tokens <= last.tokens + last.gain(ticks_between(last, seen, state.rules)) - spent


def _closing(expected: Explained, seen: Observation, surplus: int) -> _Verdict:
    return _Verdict(
        closes=True,
        missing=max(0, expected.least - seen.tokens),
        credit=surplus,
        overflow=expected.overflow,
    )


def _open(state: State, after_sequence: int, covers: UUID | None = None) -> bool:
    """Whether a call overlaps the stretch and has no answer of its own yet."""
    if state.held_calls:
        return True
    if any(cost > after_sequence for cost in _uncovered(state, covers)):
        return True
    return any(each.sequence > after_sequence for each in _unknown(state))


def _uncovered(state: State, covers: UUID | None = None) -> list[int]:
    if not state.uncovered:
        return []
    return [cost.sequence for call, cost in state.uncovered.items() if call != covers]


def _unknown(state: State) -> list[Reservation]:
    """Return the calls whose outcome is unknown, oldest first."""
    if not state.unsettled:
        return []
    unknown = [each for each in state.live.values() if each.stage is Stage.UNKNOWN]
    return sorted(unknown, key=lambda each: (each.created_at, each.sequence))


def _enter(
    draft: Draft,
    seen: Observation,
    after_sequence: int,
    verdict: _Verdict,
    covers: UUID | None = None,
) -> None:
    fact = Observed(
        observation=seen,
        after_sequence=after_sequence,
        newest=verdict.newest,
        closes=verdict.closes,
        doubt=verdict.doubt,
        covers=covers,
    )
    draft.add(fact)


def _settle(
    draft: Draft, verdict: _Verdict, unknown: list[Reservation], *, since: Anchor | None
) -> None:
    """Give what is missing to the unknown calls, oldest first; the rest is a stranger's.

    Of a call that began before the stretch compared nothing is missing within it; nothing
    shows that it was free, so it is settled at its bound. Nor does a full bucket show what a
    call took out of it before the refill that overflowed: up to that overflow counts as taken.
    """
    missing, hidden = verdict.missing, verdict.overflow
    if verdict.closes:
        for call in unknown:
            before = since is None or call.created_at < since.stored_at
            dark = verdict.fresh or before
            bound = call.terms.tokens
            cost = bound if dark else min(missing + hidden, bound)
            hidden -= 0 if dark else max(0, cost - missing)
            missing = max(0, missing - cost)
            draft.add(Settled(tokens=cost), call.terms)
    if missing:
        draft.add(Foreign(tokens=missing))
    if verdict.credit:
        draft.add(Credit(tokens=verdict.credit))
    if hidden:
        draft.add(Overflow(tokens=hidden))


def _warn(draft: Draft, tokens: int) -> None:
    """Enter each threshold once per fall."""
    for threshold in (ALERT_BALANCE, SAFETY_BUFFER):
        announced = draft.state.announced
        if tokens < threshold and (announced == 0 or announced > threshold):
            draft.add(BalanceLow(tokens=tokens, threshold=threshold))
