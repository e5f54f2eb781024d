"""Who gets tokens, and when: floors, gates, envelopes, and the queue."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.budget.domain import refusals
from services.budget.domain.commands import NO_WAIT, Admit, Leave, Look, Reserve
from services.budget.domain.draft import Decision, Draft
from services.budget.domain.entries import Held, Released, Waiting
from services.budget.domain.reservation import Reservation, Tags, Terms
from services.budget.domain.rules import MINIMUM_BALANCE, Kind, Priority, Reason, Stage
from services.budget.domain.state import State
from services.budget.domain.values import replace
from services.chassis.errors import Refusal, invalid_field


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Tokens are short now; waiting may help.

    Attributes:
        start: When ticks alone would be enough; None when they never are.
    """

    balance: int
    required: int
    start: datetime | None

    def wait(self, now: datetime) -> timedelta | None:
        """How long from ``now`` until ``start``."""
        return None if self.start is None else max(self.start - now, NO_WAIT)

    def refusal(self, tags: Tags, now: datetime) -> Refusal:
        """Refuse at once."""
        return refusals.insufficient_tokens(self.balance, self.required, self.wait(now), tags)

    def timeout(self, tags: Tags, now: datetime) -> Refusal:
        """Refuse after a wait."""
        return refusals.wait_timeout(self.balance, self.required, self.wait(now), tags)

    def queue_full(self, limit: int, now: datetime) -> Refusal:
        """Refuse even to wait."""
        return refusals.queue_full(limit, self.balance, self.required, self.wait(now))


def reserve(state: State, command: Reserve, now: datetime) -> Decision | Refusal:
    """Grant, queue or refuse one request; a repeated one gets its first answer."""
    repeated = _repeated(state, command)
    if repeated is not None:
        return repeated
    obstacle = check(state, command.terms, now)
    if isinstance(obstacle, Refusal):
        return obstacle
    draft = Draft(state, now)
    if obstacle is None:
        _hold(draft, command.terms, command.content, command.request_id)
    elif command.max_wait <= NO_WAIT:
        return obstacle.refusal(command.terms.tags, now)
    elif len(state.waiting) >= state.rules.queue_limit:
        return obstacle.queue_full(state.rules.queue_limit, now)
    else:
        queued = Waiting(
            terms=command.terms,
            until=now + command.max_wait,
            promised_at=obstacle.start,
            first=_finds_nobody(state, command.terms, now),
        )
        draft.add(queued, command.terms, content=command.content)
    return draft.answer(command.terms.id)


def admit(state: State, _: Admit, now: datetime) -> Decision:
    """Grant what waits, in turn: the heads, and what can pass them without delaying one.

    Each priority has a head of its own, whose promise its equals must keep as well.
    """
    draft = Draft(state, now)
    heads: dict[Priority, Terms] = {}
    for queued in _in_order(state):
        terms = queued.terms
        if not _waits(queued, now):
            continue  # Its wait is over; the sweep or its own caller ends it.
        if terms.id in state.bound:
            # By another account, at the moment at which it was queued here.
            draft.add(Released(tokens=terms.tokens, reason=Reason.WAIT_ENDED), terms)
            continue
        obstacle = assess(draft.state, terms, now)
        if isinstance(obstacle, Refusal):
            if obstacle.reason in ("RESERVATION_ENDED", "ENVELOPE_EXHAUSTED"):
                draft.add(Released(tokens=terms.tokens, reason=Reason.WAIT_ENDED), terms)
        elif obstacle is None and not _delayed(draft.state, terms, heads.values(), now):
            _hold(draft, terms, queued.content, terms.id)
        elif terms.parent is None:
            heads.setdefault(terms.priority, terms)
    return draft.decision()


def leave(state: State, command: Leave, now: datetime) -> Decision:
    """End a wait and say what it waited for; what was granted meanwhile stays granted."""
    queued = state.waiting.get(command.reservation)
    if queued is None:
        return _after_wait(state, command.reservation, now)
    draft = Draft(state, now)
    draft.add(Released(tokens=queued.terms.tokens, reason=Reason.WAIT_ENDED), queued.terms)
    return replace(draft.decision(), refusal=_reproach(draft.state, queued.terms, now))


def _after_wait(state: State, reservation: UUID, now: datetime) -> Decision:
    """Tell what became of a wait that somebody else has ended: a grant, or its time."""
    bound, found = state.bound.get(reservation), state.find(reservation)
    if bound is None and found is not None:
        return Decision(state=state, refusal=_reproach(state, found.terms, now))
    if bound is not None and bound.answer.terms.account != state.account:
        return Decision(state=state, refusal=refusals.request_id_reused(reservation))
    return Decision(state=state, answer=bound.answer if bound else None)


def _reproach(state: State, terms: Terms, now: datetime) -> Refusal:
    """Say why a wait that is over brought nothing."""
    obstacle = check(state, terms, now)
    if isinstance(obstacle, Refusal):
        return obstacle
    if obstacle is None:
        return refusals.wait_timeout(state.available(now), terms.required, NO_WAIT, terms.tags)
    return obstacle.timeout(terms.tags, now)


def look(state: State, _: Look, __: datetime) -> Decision:
    """Change nothing."""
    return Decision(state=state)


def check(state: State, terms: Terms, now: datetime) -> Shortfall | Refusal | None:
    """Say what stands in the way of a grant, the queue included; None when nothing does."""
    return assess(state, terms, now) or _in_turn(state, terms, now)


def assess(state: State, terms: Terms, now: datetime) -> Shortfall | Refusal | None:
    """Say what stands in the way of a grant, the queue aside; None when nothing does."""
    if terms.parent is not None:
        return _assess_draw(state, terms, terms.parent, now)
    required = terms.required
    if state.anchor is not None and required > state.anchor.observation.capacity:
        return refusals.cost_exceeds_capacity(required, state.anchor.observation.capacity)
    if not state.known(now):
        return refusals.balance_unknown(observed=state.anchor is not None)
    return _short(state, now, state.charged, required)


def _assess_draw(
    state: State, terms: Terms, parent: UUID, now: datetime
) -> Shortfall | Refusal | None:
    """Look at the envelope's rest first, then at the account under it.

    A draw takes nothing more from what is available, but the tokens must really be there:
    a stranger may have used the key since the envelope was granted.
    """
    refused = _closed(state.find(parent), terms, now)
    if refused is not None:
        return refused
    if not state.known(now):
        return refusals.balance_unknown(observed=state.anchor is not None)
    return _short(state, now, state.calls, terms.tokens + MINIMUM_BALANCE)


def _closed(envelope: Reservation | None, terms: Terms, now: datetime) -> Refusal | None:
    """Say why an envelope gives nothing; None when it does."""
    if envelope is None:
        return refusals.reservation_not_found(terms.parent or terms.id)
    if envelope.terms.kind is not Kind.ENVELOPE:
        return invalid_field("parent", "must name an envelope; this is a call's reservation.")
    if not envelope.open_envelope:
        return refusals.reservation_ended(envelope)
    if envelope.expires_at is not None and envelope.expires_at <= now:
        return refusals.reservation_ended(envelope, Stage.RELEASED.value)
    if envelope.rest < terms.tokens:
        return refusals.envelope_exhausted(envelope, terms.tokens)
    return None


def _short(state: State, now: datetime, burden: int, required: int) -> Shortfall | None:
    """Compare what is there with what is required.

    ``burden`` is what is subtracted from the balance: everything charged, or calls alone.
    """
    balance = state.balance(now) - burden - state.doubt
    if balance >= required:
        return None
    return Shortfall(balance, required, _start(state, burden + required))


def _start(state: State, tokens: int) -> datetime | None:
    """Say when ticks alone bring the bucket to ``tokens``, what is in doubt left out."""
    assert state.anchor is not None
    return state.anchor.reaches(tokens + state.doubt, state.rules)


def _hold(draft: Draft, terms: Terms, content: str, request_id: UUID) -> None:
    held = Held(terms=terms, expires_at=draft.now + terms.hold)
    draft.add(held, terms, request_id=request_id, content=content)


def _repeated(state: State, command: Reserve) -> Decision | Refusal | None:
    """Answer a request id that stands for something already.

    A wait that ended binds nothing, but its id stays the account's: one reservation has one.
    """
    request_id = command.request_id
    bound, queued = state.bound.get(request_id), state.waiting.get(request_id)
    content = bound.content if bound else queued.content if queued else None
    if content is None:
        assert request_id not in state.live, "a grant was not recalled"
        past = state.past.get(request_id)
        elsewhere = past is not None and past.terms.account != command.terms.account
        return refusals.request_id_reused(request_id) if elsewhere else None
    if content != command.content:
        return refusals.request_id_reused(request_id)
    return Decision(state=state, answer=bound.answer if bound else queued)


def _in_turn(state: State, terms: Terms, now: datetime) -> Shortfall | None:
    """Say what a newcomer must wait for because others were here before it."""
    if terms.parent is not None or not state.waiting:
        return None
    heads: dict[Priority, Terms] = {}
    for queued in _in_order(state):
        ahead = queued.terms.priority <= terms.priority and queued.terms.parent is None
        if ahead and _waits(queued, now):
            heads.setdefault(queued.terms.priority, queued.terms)
    head = _delayed(state, terms, heads.values(), now)
    if head is None:
        return None
    required = head.required + terms.tokens
    return Shortfall(state.available(now), required, _start(state, state.charged + required))


def _delayed(state: State, terms: Terms, heads: Iterable[Terms], now: datetime) -> Terms | None:
    """Return the first of the heads whose start a grant of ``terms`` would move."""
    return next((head for head in heads if _delays(state, terms, head, now)), None)


def _delays(state: State, terms: Terms, head: Terms, now: datetime) -> bool:
    """Whether granting ``terms`` now would move the start of ``head``."""
    if terms.parent is not None:
        return False
    assert state.anchor is not None
    available = state.available(now)
    if available >= head.required:
        return available - terms.tokens < head.required
    needed = head.required + state.charged
    if needed + state.doubt + terms.tokens > state.anchor.observation.capacity:
        return True
    alone, behind = _start(state, needed), _start(state, needed + terms.tokens)
    return alone is not None and (behind is None or behind > alone)


def _finds_nobody(state: State, terms: Terms, now: datetime) -> bool:
    """Whether a newcomer is the head of its queue, and stays so until it is served."""
    return terms.parent is None and not any(
        each.terms.parent is None and each.terms.priority <= terms.priority and _waits(each, now)
        for each in state.waiting.values()
    )


def _waits(queued: Reservation, now: datetime) -> bool:
    return queued.until is not None and queued.until > now


def _in_order(state: State) -> list[Reservation]:
    """Return the queue: by priority, the promised head, tokens the caller holds, arrival.

    A head that found nobody before it keeps its place, else the promise would move with
    what others hold.
    """
    if not state.waiting:
        return []
    holdings: Counter[str] = Counter()
    for reservation in state.live.values():
        holdings[reservation.terms.tags.caller] += reservation.charge

    def turn(queued: Reservation) -> tuple[Priority, bool, int, int]:
        terms = queued.terms
        return (terms.priority, not queued.first, holdings[terms.tags.caller], queued.sequence)

    return sorted(state.waiting.values(), key=turn)
