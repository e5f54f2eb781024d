"""What a stated balance changes: the anchor, what it covers, and what it does not explain."""

from datetime import datetime
from uuid import UUID

from services.budget.domain import belief, estimating
from services.budget.domain.balance import EPOCH, MILLISECOND, Anchor, Observation
from services.budget.domain.commands import Report
from services.budget.domain.draft import Decision, Draft
from services.budget.domain.entries import BalanceLow, Observed
from services.budget.domain.estimating import Gone
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import (
    ALERT_BALANCE,
    KEEPA_AHEAD,
    SAFETY_BUFFER,
)
from services.budget.domain.state import State
from services.budget.domain.values import replace


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
    return seen.refill_rate > 0 and seen.made_ms <= (now + KEEPA_AHEAD - EPOCH) // MILLISECOND


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
        older = belief.Verdict(
            newest=False, doubt=belief.doubted(state, seen, after_sequence, covers)
        )
        tells = older.doubt > state.doubt or belief.narrows(state, seen)
        if tells or _reaches(state, after_sequence, covers):
            _enter(draft, seen, after_sequence, older, covers)
        return False
    verdict = belief.compare(state, seen, after_sequence, covers)
    unknown = [each for each in belief.unknown(state) if each.sequence <= after_sequence]
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
    if belief.overlapped(state, after_sequence):
        return
    verdict = belief.compare(state, seen, after_sequence)
    if verdict.closes and not verdict.credit:
        unknown = belief.unknown(state)
        closing = replace(verdict, newest=False, doubt=max(state.doubt, verdict.doubt))
        _enter(draft, seen, after_sequence, closing)
        _settle(draft, verdict, unknown, since=state.baseline)


def _reaches(state: State, after_sequence: int, covers: UUID | None) -> bool:
    """Whether a balance that is not the newest covers a cost all the same."""
    if not state.uncovered:
        return False
    return covers in state.uncovered or min(belief.uncovered(state)) <= after_sequence


def _enter(
    draft: Draft,
    seen: Observation,
    after_sequence: int,
    verdict: belief.Verdict,
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
    draft: Draft, verdict: belief.Verdict, unknown: list[Reservation], *, since: Anchor | None
) -> None:
    """Give what is gone to the unknown calls, oldest first; the rest is a stranger's.

    Of a call that began before the stretch compared nothing is missing within it; nothing
    shows that it was free, so it is settled at its bound. Nor does a full bucket show what a
    call took out of it before the refill that overflowed: up to that overflow counts as taken.
    """
    gone = Gone(missing=verdict.missing, hidden=verdict.overflow)
    if verdict.closes and unknown:
        calls = [(each, verdict.fresh or _began_before(since, each)) for each in unknown]
        gone = estimating.settle(draft, calls, gone, draft.state.sequence)
    estimating.name(draft, gone, verdict.credit)


def _began_before(since: Anchor | None, call: Reservation) -> bool:
    return since is None or call.created_at < since.stored_at


def _warn(draft: Draft, tokens: int) -> None:
    """Enter each threshold once per fall."""
    for threshold in (ALERT_BALANCE, SAFETY_BUFFER):
        announced = draft.state.announced
        if tokens < threshold and (announced == 0 or announced > threshold):
            draft.add(BalanceLow(tokens=tokens, threshold=threshold))
