"""How each fact changes the state: ``evolve(state, entry) -> state``, and nothing else does."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from services.budget.domain import entries as facts
from services.budget.domain.balance import Anchor
from services.budget.domain.entries import Entry
from services.budget.domain.mapping import Map, empty, nothing
from services.budget.domain.reservation import WITHOUT_OUTCOME, Reservation
from services.budget.domain.rules import (
    ALERT_BALANCE,
    ESTIMATES_LIMIT,
    SAFETY_BUFFER,
    Kind,
    Stage,
)
from services.budget.domain.state import Answered, Bound, Estimate, State, Uncovered
from services.budget.domain.values import replace


def evolve(state: State, entry: Entry) -> State:
    """Fold one entry into the state.

    Raises:
        AssertionError: The entry is not the next one, or concerns a reservation that the
            state does not hold; then the ledger or the recall is broken.
    """
    assert entry.sequence == state.sequence + 1, (entry.sequence, state.sequence)
    change = _CHANGES.get(type(entry.fact))
    changed = change(state, entry, entry.fact) if change else state
    bound = changed.bound
    if entry.request_id is not None:
        answer = changed.find(_reservation(entry))
        assert answer is not None, entry
        bound = bound.put(entry.request_id, Bound(content=entry.content, answer=answer))
    return replace(changed, sequence=entry.sequence, bound=bound)


def replay(state: State, entries: Iterable[Entry]) -> State:
    """Fold entries in order."""
    for entry in entries:
        state = evolve(state, entry)
    return state


def recall(state: State, reservations: Iterable[Reservation], bound: Mapping[UUID, Bound]) -> State:
    """Add the part of the past that the commands at hand ask about."""
    past = state.past
    for reservation in reservations:
        if reservation.id not in state.live and reservation.id not in state.waiting:
            past = past.put(reservation.id, reservation)
    return replace(state, past=past, bound=Map(bound) if bound else empty())


def forget(state: State) -> State:
    """Drop what was recalled for commands that are decided."""
    return replace(state, past=empty(), bound=empty())


def _waiting(state: State, entry: Entry, fact: facts.Waiting) -> State:
    queued = Reservation(
        terms=fact.terms,
        stage=Stage.WAITING,
        created_at=entry.at,
        sequence=entry.sequence,
        until=fact.until,
        promised_at=fact.promised_at,
        first=fact.first,
        content=entry.content,
    )
    return _place(state, queued)


def _held(state: State, entry: Entry, fact: facts.Held) -> State:
    held = Reservation(
        terms=fact.terms,
        stage=Stage.HELD,
        created_at=entry.at,
        sequence=entry.sequence,
        expires_at=fact.expires_at,
        content=entry.content,
    )
    return _envelope(_place(state, held), held, live=held.terms.tokens)


def _committed(state: State, entry: Entry, fact: facts.Committed) -> State:
    before = state.find(_reservation(entry)) or fact.before
    assert before is not None, entry
    after = _ended(before, entry, Stage.COMMITTED, committed=fact.tokens, overrun=fact.overrun)
    estimate = before.committed  # What SETTLED had put there; it was covered.
    carrier = before.terms.parent if before.terms.parent in state.live else None
    state = _envelope(
        _place(state, after),
        before,
        live=-before.bound if before.stage is Stage.HELD else 0,
        unknown=-before.bound if before.stage is Stage.UNKNOWN else 0,
        committed=fact.tokens - estimate,
        covered=(fact.tokens if fact.covered else 0) - estimate,
    )
    state = replace(state, spent=state.spent + fact.tokens - estimate)
    if before.stage is Stage.SETTLED:
        state = replace(state, estimates=_others(state, before.id))
    if not fact.covered:
        state = _uncover(state, before.id, entry.sequence, fact.tokens, carrier)
    return _remember(state, fact)


def _remember(state: State, fact: facts.Committed) -> State:
    """Keep the call for the comparison with the balance, unless that has passed it by."""
    if not fact.counted:
        return state
    call = Answered(arrived_ms=fact.arrived_ms, made_ms=fact.made_ms, tokens=fact.tokens)
    return replace(state, answered=state.answered.plus(call))


def _released(state: State, entry: Entry, _: facts.Released) -> State:
    before = _known(state, entry)
    after = _ended(before, entry, Stage.RELEASED)
    return _envelope(
        _place(state, after),
        before,
        live=-before.bound if before.stage is Stage.HELD else 0,
        unknown=-before.bound if before.stage is Stage.UNKNOWN else 0,
    )


def _unknown(state: State, entry: Entry, _: facts.Unknown) -> State:
    before = _known(state, entry)
    after = _ended(before, entry, Stage.UNKNOWN)
    state = _place(state, after)
    return _envelope(state, before, live=-before.bound, unknown=before.bound)


def _settled(state: State, entry: Entry, fact: facts.Settled) -> State:
    key = _reservation(entry)
    told = (each.reservation for each in state.estimates if each.reservation.id == key)
    before = next(told, None) or _known(state, entry)
    after = _ended(before, entry, Stage.SETTLED, committed=fact.tokens)
    more = fact.tokens - before.committed  # It may replace an estimate.
    estimate = Estimate(reservation=after, since=fact.since, hidden=fact.hidden, dark=fact.dark)
    state = replace(
        _place(state, after),
        spent=state.spent + more,
        estimates=(*_others(state, key), estimate)[-ESTIMATES_LIMIT:],
    )
    return _envelope(state, before, unknown=-before.bound, committed=more, covered=more)


def _others(state: State, key: UUID) -> tuple[Estimate, ...]:
    return tuple(each for each in state.estimates if each.reservation.id != key)


def _extended(state: State, entry: Entry, fact: facts.Extended) -> State:
    before = _known(state, entry)
    return _place(state, replace(before, expires_at=fact.expires_at, sequence=entry.sequence))


def _observed(state: State, entry: Entry, fact: facts.Observed) -> State:
    for reservation, cost in state.uncovered.items() if state.uncovered else ():
        if cost.sequence <= fact.after_sequence or reservation == fact.covers:
            state = _cover(state, reservation, cost)
    if fact.newest:
        anchor = Anchor(
            observation=fact.observation, stored_at=entry.at, after_sequence=fact.after_sequence
        )
        announced = _rearmed(state.announced, fact.tokens)
        previous = state.anchor.observation if state.anchor else None
        state = replace(state, anchor=anchor, previous=previous, announced=announced)
    if fact.doubt != state.doubt:
        state = replace(state, doubt=fact.doubt)
    if fact.closes:
        return replace(state, baseline=state.anchor, answered=nothing(), between=nothing())
    return replace(state, between=state.between.plus(fact.observation))


def _rearmed(announced: int, tokens: int) -> int:
    """Return the threshold that stays announced when the balance is ``tokens``."""
    if tokens >= ALERT_BALANCE:
        return 0
    return ALERT_BALANCE if announced == SAFETY_BUFFER and tokens >= SAFETY_BUFFER else announced


def _balance_low(state: State, _: Entry, fact: facts.BalanceLow) -> State:
    return replace(state, announced=fact.threshold)


def _reservation(entry: Entry) -> UUID:
    assert entry.about.reservation is not None, entry
    return entry.about.reservation


def _known(state: State, entry: Entry) -> Reservation:
    found = state.find(_reservation(entry))
    assert found is not None, entry
    return found


def _ended(
    before: Reservation, entry: Entry, stage: Stage, *, committed: int = 0, overrun: int = 0
) -> Reservation:
    if before.terms.kind is Kind.ENVELOPE:
        committed = before.committed
    return replace(
        before,
        stage=stage,
        ended_at=entry.at,
        sequence=entry.sequence,
        committed=committed,
        overrun=overrun,
    )


def _place(state: State, after: Reservation) -> State:
    """Put a reservation where its stage belongs, and correct the sums."""
    key = after.id
    before = state.live.get(key)
    charged, calls, held_calls, unsettled = _burden(after)
    carries = after.stage in WITHOUT_OUTCOME or charged != 0
    carries = carries or after.live + after.unknown > 0
    if before is not None:
        less = _burden(before)
        charged, calls = charged - less[0], calls - less[1]
        held_calls, unsettled = held_calls - less[2], unsettled - less[3]
    waits = after.stage is Stage.WAITING
    return replace(
        state,
        live=state.live.put(key, after) if carries else state.live.drop(key),
        waiting=state.waiting.put(key, after) if waits else state.waiting.drop(key),
        past=state.past.drop(key) if carries or waits else state.past.put(key, after),
        charged=state.charged + charged,
        calls=state.calls + calls,
        held_calls=state.held_calls + held_calls,
        unsettled=state.unsettled + unsettled,
    )


def _burden(reservation: Reservation) -> tuple[int, int, int, int]:
    """What it adds to the sums: ``charged``, ``calls``, ``held_calls`` and ``unsettled``."""
    bound, unknown = reservation.bound, reservation.stage is Stage.UNKNOWN
    unsettled = bound if unknown else 0
    if reservation.terms.kind is Kind.ENVELOPE:
        return reservation.charge, 0, 0, unsettled
    return reservation.charge, bound, int(reservation.stage is Stage.HELD), unsettled


def _envelope(
    state: State,
    child: Reservation,
    *,
    live: int = 0,
    unknown: int = 0,
    committed: int = 0,
    covered: int = 0,
) -> State:
    """Carry a child's change to its envelope.

    An envelope that carries nothing any more keeps its totals for readers only; a late
    cost is then the account's.
    """
    parent = child.terms.parent
    if parent is None:
        return state
    if parent in state.live:
        changed = state.live[parent].with_child(
            live=live, unknown=unknown, committed=committed, covered=covered
        )
        return _place(state, changed)
    if parent in state.past:
        changed = state.past[parent].with_child(committed=committed, covered=committed)
        return replace(state, past=state.past.put(parent, changed))
    return state


def _uncover(
    state: State, reservation: UUID, sequence: int, tokens: int, carrier: UUID | None
) -> State:
    cost = Uncovered(sequence=sequence, tokens=tokens, parent=carrier)
    return replace(
        state,
        uncovered=state.uncovered.put(reservation, cost),
        charged=state.charged + (tokens if carrier is None else 0),
        calls=state.calls + tokens,
        uncovered_tokens=state.uncovered_tokens + tokens,
    )


def _cover(state: State, reservation: UUID, cost: Uncovered) -> State:
    if cost.parent is not None:
        envelope = state.live[cost.parent].with_child(covered=cost.tokens)
        state = _place(state, envelope)
    return replace(
        state,
        uncovered=state.uncovered.drop(reservation),
        charged=state.charged - (cost.tokens if cost.parent is None else 0),
        calls=state.calls - cost.tokens,
        uncovered_tokens=state.uncovered_tokens - cost.tokens,
    )


_Change = Callable[[State, Entry, Any], State]
_CHANGES: dict[type[facts.Fact], _Change] = {
    facts.Waiting: _waiting,
    facts.Held: _held,
    facts.Committed: _committed,
    facts.Released: _released,
    facts.Unknown: _unknown,
    facts.Settled: _settled,
    facts.Extended: _extended,
    facts.Observed: _observed,
    facts.BalanceLow: _balance_low,
}
