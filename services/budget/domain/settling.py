"""How reservations end: committed, released, extended, or expired into the unknown."""

from datetime import datetime

from services.budget.domain import belief, estimating, observing, refusals
from services.budget.domain.balance import Observation
from services.budget.domain.commands import Commit, Extend, Release, Sweep
from services.budget.domain.draft import Decision, Draft
from services.budget.domain.entries import (
    Committed,
    Credit,
    Extended,
    Overrun,
    Released,
    Unknown,
)
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import Kind, Reason, Stage
from services.budget.domain.state import State
from services.chassis.errors import Refusal, invalid_field


def commit(state: State, command: Commit, now: datetime) -> Decision | Refusal:
    """Book a call's cost, however late and however large; the first one counts."""
    found = _found(state, command)
    if isinstance(found, Refusal):
        return found
    if found.terms.kind is Kind.ENVELOPE:
        return invalid_field("name", "must name a call; an envelope's cost is its calls' cost.")
    if found.stage is Stage.WAITING:
        return refusals.reservation_ended(found)
    if found.stage is Stage.COMMITTED and found.committed != command.tokens:
        return refusals.commit_conflict(found, command.tokens)
    draft = Draft(state, now)
    if found.stage is not Stage.COMMITTED:
        _book(draft, found, command)
    if command.observation is not None:
        observing.observe(draft, command.observation, command.after_sequence, covers=found.id)
    observing.look_again(draft, command.observation)
    return draft.decision(_answer(state, draft, command))


def _book(draft: Draft, found: Reservation, command: Commit) -> None:
    """Enter the cost.

    An anchor as new as the call's own answer reflects the cost already; an older one does
    not, and the observation that follows this entry will. Nor does one that the answer puts
    in doubt, until it is told by how much. What a settlement had estimated is reflected by
    what it was estimated from.
    """
    seen = command.observation
    if seen is not None and not observing.believable(seen, draft.now):
        seen = None
    overrun = max(0, command.tokens - found.terms.tokens)
    fact = Committed(
        tokens=command.tokens,
        overrun=overrun,
        covered=found.stage is Stage.SETTLED
        or command.tokens == 0
        or (seen is not None and _reflected(draft.state, seen)),
        counted=_counted(draft.state, found, seen),
        before=found if found.stage in (Stage.RELEASED, Stage.SETTLED) else None,
        arrived_ms=seen.arrived_ms if seen else None,
        made_ms=seen.made_ms if seen else None,
    )
    estimates = draft.state.estimates
    draft.add(fact, found.terms, request_id=command.request_id, content=command.content)
    if overrun:
        draft.add(Overrun(tokens=overrun), found.terms)
    if found.stage is Stage.SETTLED:
        estimating.correct(draft, found, command.tokens, estimates)
    elif found.stage is Stage.RELEASED and not fact.counted and command.tokens:
        draft.add(Credit(tokens=command.tokens))  # It was booked as somebody else's.


def _reflected(state: State, seen: Observation) -> bool:
    """Whether the anchor shows a cost that was known when ``seen`` was made."""
    return not observing.newer(state, seen) and not belief.contradicts(state, seen)


def _counted(state: State, found: Reservation, seen: Observation | None) -> bool:
    """Whether a cost falls into the stretch since the baseline, as far as one can tell."""
    if state.baseline is None:
        return False
    if seen is not None:
        return seen.supersedes(state.baseline.observation)
    return found.stage is not Stage.SETTLED


def release(state: State, command: Release, now: datetime) -> Decision | Refusal:
    """Give back what was certainly not spent; released twice is released once."""
    found = _found(state, command)
    if isinstance(found, Refusal):
        return found
    if found.stage is Stage.RELEASED or command.request_id in state.bound:
        return Decision(state=state, answer=_answer(state, None, command) or found)
    if found.terms.kind is Kind.CALL and command.reason is not Reason.NOT_SENT:
        return invalid_field("reason", "must be RELEASE_REASON_NOT_SENT for a call.")
    if found.stage not in (Stage.WAITING, Stage.HELD, Stage.UNKNOWN):
        return refusals.reservation_ended(found)
    back = found.rest if found.terms.kind is Kind.ENVELOPE else found.terms.tokens
    draft = Draft(state, now)
    fact = Released(tokens=back, reason=command.reason)
    draft.add(fact, found.terms, request_id=command.request_id, content=command.content)
    answer = draft.state.find(found.id)
    observing.look_again(draft)
    return draft.decision(answer)


def extend(state: State, command: Extend, now: datetime) -> Decision | Refusal:
    """Move an expiry later, never earlier."""
    found = _found(state, command)
    if isinstance(found, Refusal):
        return found
    if command.request_id in state.bound:
        return Decision(state=state, answer=_answer(state, None, command))
    if found.stage is not Stage.HELD or found.expires_at is None:
        return refusals.reservation_ended(found)
    if found.expires_at <= now:
        ended = Stage.UNKNOWN if found.terms.kind is Kind.CALL else Stage.RELEASED
        return refusals.reservation_ended(found, ended.value)
    draft = Draft(state, now)
    moved = max(found.expires_at, now + command.hold)
    fact = Extended(tokens=found.terms.tokens, expires_at=moved)
    draft.add(fact, found.terms, request_id=command.request_id, content=command.content)
    return draft.answer(found.id)


def sweep(state: State, _: Sweep, now: datetime) -> Decision:
    """End what has run out: a call into the unknown, an envelope's rest back, a wait."""
    draft = Draft(state, now)
    for held in sorted(_expired(state, now), key=lambda due: (due.expires_at, due.sequence)):
        if held.terms.kind is Kind.CALL:
            draft.add(Unknown(tokens=held.terms.tokens), held.terms)
        else:
            draft.add(Released(tokens=held.rest, reason=Reason.EXPIRED), held.terms)
    for queued in sorted(state.waiting.values(), key=lambda waits: waits.sequence):
        if queued.until is not None and queued.until <= now:
            draft.add(Released(tokens=queued.terms.tokens, reason=Reason.WAIT_ENDED), queued.terms)
    return draft.decision()


def _expired(state: State, now: datetime) -> list[Reservation]:
    held = (each for each in state.live.values() if each.stage is Stage.HELD)
    return [each for each in held if each.expires_at is not None and each.expires_at <= now]


def _found(state: State, command: Commit | Release | Extend) -> Reservation | Refusal:
    """Return the reservation named, unless the request id stands for something else.

    One that waits will stand for its grant.
    """
    bound, other = state.bound.get(command.request_id), state.find(command.request_id)
    waits = other is not None and other.stage is Stage.WAITING
    if waits or (bound is not None and bound.content != command.content):
        return refusals.request_id_reused(command.request_id)
    found = state.find(command.reservation)
    return refusals.reservation_not_found(command.reservation) if found is None else found


def _answer(
    state: State, draft: Draft | None, command: Commit | Release | Extend
) -> Reservation | None:
    """Return the first answer of a repeated request, else the reservation as it stands."""
    bound = state.bound.get(command.request_id)
    if bound is not None:
        return bound.answer
    return (draft.state if draft else state).find(command.reservation)
