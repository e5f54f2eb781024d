"""Known bugs of this field, each put into the real code for a while, to see it caught."""
# ruff: noqa: ANN001, ANN002, ANN202 - each stands in for a part of the code under test

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid5

from services.budget.domain import (
    belief,
    commands,
    decide,
    drift,
    estimating,
    evolve,
    granting,
    observing,
    settling,
)
from services.budget.domain import entries as facts
from services.budget.domain.balance import Anchor, Observation
from services.budget.domain.commands import Commit, Reserve
from services.budget.domain.draft import Decision, Draft
from services.budget.domain.reservation import Reservation, Terms
from services.budget.domain.rules import Kind, Priority, Reason, Stage
from services.budget.domain.state import State
from services.budget.domain.values import replace
from services.budget.storage import snapshots
from services.budget.usecases import writer
from tests.simulation.run import replaced
from tests.simulation.store import Database
from tests.simulation.swarm import RAID, Mix, draw

Patch = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Mutant:
    """A bug, put into the real code for as long as a context lasts.

    Attributes:
        told_by: The promises of which one at least must be found broken.
        mix: What a seed must have besides its own faults for the bug to matter at all.
    """

    name: str
    told_by: tuple[str, ...]
    put: Patch
    mix: Mapping[str, Any]

    def world(self, seed: int) -> Mix:
        """Return the mix of a seed on which the bug is tried."""
        return dataclasses.replace(draw(seed), **self.mix)


MUTANTS: list[Mutant] = []


def mutant(
    name: str, *told_by: str, **mix: float
) -> Callable[[Callable[[], Iterator[None]]], None]:
    """Register a generator that holds the bug in place."""

    def register(place: Callable[[], Iterator[None]]) -> None:
        MUTANTS.append(Mutant(name, told_by, contextmanager(place), mix))

    return register


@mutant("a retried reserve holds twice", "INV-2")
def _() -> Iterator[None]:
    honest = granting.reserve

    def twice(state, command, now):
        if command.request_id in state.bound:
            again = uuid5(command.request_id, str(state.sequence))
            command = Reserve(terms=replace(command.terms, id=again), max_wait=command.max_wait)
        return honest(state, command, now)

    with replaced(decide._DECIDERS, commands.Reserve, twice):
        yield


@mutant("a commit repeated charges twice", "INV-3", "INV-1", "INV-6")
def _() -> Iterator[None]:
    honest = settling.commit

    def twice(state, command, now):
        found = state.find(command.reservation)
        if found is None or found.stage is not Stage.COMMITTED:
            return honest(state, command, now)
        draft = Draft(state, now)
        settling._book(draft, found, replace_id(command, state.sequence))
        return draft.decision(draft.state.find(found.id))

    with replaced(decide._DECIDERS, commands.Commit, twice):
        yield


def replace_id(command: Commit, number: int) -> Commit:
    """Return the command as if it were another request."""
    return Commit(
        request_id=uuid5(command.request_id, str(number)),
        reservation=command.reservation,
        tokens=command.tokens,
        observation=command.observation,
        after_sequence=command.after_sequence,
    )


@mutant("a late commit is dropped", "INV-4", late_commit=0.5)
def _() -> Iterator[None]:
    honest = settling.commit

    def punctual(state, command, now):
        found = state.find(command.reservation)
        if found is not None and found.stage not in (Stage.HELD, Stage.COMMITTED):
            return Decision(state=state, answer=found)
        return honest(state, command, now)

    with replaced(decide._DECIDERS, commands.Commit, punctual):
        yield


@mutant("an overrun is cut to what was held", "INV-4", overrun=0.3)
def _() -> Iterator[None]:
    honest = settling._book

    def cut(draft, found, command):
        kept = Commit(
            request_id=command.request_id,
            reservation=command.reservation,
            tokens=min(command.tokens, found.terms.tokens),
            observation=command.observation,
            after_sequence=command.after_sequence,
        )
        honest(draft, found, kept)

    with replaced(settling, "_book", cut):
        yield


@mutant("expiry refunds a call that was sent", "INV-5", lost_answer=0.5)
def _() -> Iterator[None]:
    honest = settling.sweep

    def refund(state, command, now):
        draft = Draft(state, now)
        for due in settling._expired(state, now):
            if due.terms.kind is Kind.CALL:
                draft.add(facts.Released(tokens=due.terms.tokens, reason=Reason.EXPIRED), due.terms)
        rest = honest(draft.state, command, now)
        return Decision(state=rest.state, entries=(*draft.decision().entries, *rest.entries))

    with replaced(decide._DECIDERS, commands.Sweep, refund):
        yield


@mutant("a reply overwrites what is in flight", "INV-1")
def _() -> Iterator[None]:
    honest = evolve._observed

    def overwrite(state, entry, fact):
        state = honest(state, entry, fact)
        return replace(state, charged=0, calls=0) if fact.newest else state

    with replaced(evolve._CHANGES, facts.Observed, overwrite):
        yield


@mutant("an older observation wins", "INV-7", "INV-1")
def _() -> Iterator[None]:
    with replaced(Observation, "supersedes", lambda *_: True):
        yield


@mutant("a body of zeros is taken for an empty bucket", "T5", "INV-8", wrong_key=0.5)
def _() -> Iterator[None]:
    with replaced(observing, "believable", lambda *_: True):
        yield


@mutant("a cost above the capacity waits for ever", "INC-8")
def _() -> Iterator[None]:
    honest = granting.assess

    def patient(state, terms, now):
        obstacle = honest(state, terms, now)
        if getattr(obstacle, "reason", "") == "COST_EXCEEDS_CAPACITY":
            return granting.Shortfall(state.available(now), terms.required, None)
        return obstacle

    with replaced(granting, "assess", patient):
        yield


@mutant("the smallest goes first and starves the large one", "PROMISE", "QUEUE")
def _() -> Iterator[None]:
    with replaced(granting, "_delays", lambda *_: False):
        yield


@mutant("every call takes one token", "INV-11")
def _() -> Iterator[None]:
    honest = granting.reserve

    def cheap(state, command, now):
        terms = replace(command.terms, tokens=1)
        return honest(state, Reserve(terms=terms, max_wait=command.max_wait), now)

    with replaced(decide._DECIDERS, commands.Reserve, cheap):
        yield


@mutant("the start is optimistic", "T5", "INV-1")
def _() -> Iterator[None]:
    def hopeful(state, now):
        return state.anchor.balance(now, state.rules) if state.anchor else 200

    with (
        replaced(State, "balance", hopeful),
        replaced(State, "known", lambda *_: True),
    ):
        yield


@mutant("a clock that runs backwards refunds", "INV-1", clock_step=-500.0, share=0.1)
def _() -> Iterator[None]:
    honest = Anchor.certain_ticks

    def absolute(anchor, now, rules):
        return honest(anchor, anchor.stored_at + abs(now - anchor.stored_at), rules)

    with replaced(Anchor, "certain_ticks", absolute), replaced(State, "known", _ever):
        yield


def _ever(state: State, _: Any) -> bool:
    return state.anchor is not None


@mutant("a stale balance is believed", "T5", broken=0.3, silent=True)
def _() -> Iterator[None]:
    with replaced(State, "known", _ever):
        yield


@mutant("ticks are counted before they are certain", "INV-1")
def _() -> Iterator[None]:
    def early(anchor, number, _rules):
        wait = timedelta(milliseconds=anchor.observation.refill_in_ms)
        return anchor.stored_at + wait + (number - 2) * timedelta(seconds=60)

    with replaced(Anchor, "tick_at", early):
        yield


@mutant("the refill is continuous", "INV-1")
def _() -> Iterator[None]:
    def smooth(anchor, now, _rules):
        seen = anchor.observation
        gained = int((now - anchor.stored_at).total_seconds() * seen.refill_rate / 60)
        return min(seen.capacity, seen.tokens + max(0, gained))

    with replaced(Anchor, "balance", smooth):
        yield


@mutant("holds make room in a full bucket", "INV-1", share=1.0)
def _() -> Iterator[None]:
    def roomy(state, now):
        if state.anchor is None:
            return 0
        seen = state.anchor.observation
        ticks = state.anchor.certain_ticks(now, state.rules)
        free = seen.tokens + seen.gain(ticks) - state.charged - state.doubt
        return min(seen.capacity, free)

    with replaced(State, "available", roomy):
        yield


@mutant("a refused floor is ignored", "INV-1")
def _() -> Iterator[None]:
    with replaced(Priority, "floor", property(lambda _: 0)):
        yield


@mutant("a gate is ignored", "INV-1", jobs=0.8, share=0.1)
def _() -> Iterator[None]:
    def plain(terms):
        return terms.tokens + terms.priority.floor

    with replaced(Terms, "required", property(plain)):
        yield


@mutant("a child is charged beside its envelope", "INV-1")
def _() -> Iterator[None]:
    def double(reservation):
        if reservation.terms.kind is Kind.ENVELOPE:
            amount = reservation.terms.tokens if reservation.stage is Stage.HELD else 0
            spent = reservation.committed + reservation.live + reservation.unknown
            return max(amount, spent) - reservation.covered
        return reservation.bound

    with replaced(Reservation, "charge", property(double)):
        yield


@mutant("an ended envelope still gives", "INV-3")
def _() -> Iterator[None]:
    honest = granting._closed

    def open_again(envelope, terms, now):
        refused = honest(envelope, terms, now)
        return None if getattr(refused, "reason", "") == "RESERVATION_ENDED" else refused

    with replaced(granting, "_closed", open_again):
        yield


@mutant("a draw looks at its envelope alone", "INV-1", jobs=0.8, foreign=8.0, share=0.3)
def _() -> Iterator[None]:
    def trusting(state, terms, parent, now):
        return granting._closed(state.find(parent), terms, now)

    with replaced(granting, "_assess_draw", trusting):
        yield


@mutant(
    "a surplus is believed at first sight",
    "INV-1",
    lie=0.7,
    foreign=0.0,
    overrun=0.0,
    liar=0.0,
    clock_step=0.0,
    plan=0,
)
def _() -> Iterator[None]:
    honest = belief.compare

    def gullible(*told):
        return replace(honest(*told), doubt=0)

    with replaced(belief, "compare", gullible):
        yield


@mutant(
    "what a stranger took leaves room for a lie",
    "INV-1",
    lie=0.7,
    foreign=8.0,
    not_sent=0.7,
    pace=8.0,
    busy=140.0,
    jobs=0.0,
    share=0.6,
    rate=20,
    latency=0.02,
    death=0.0,
    gift=False,
    liar=0.0,
    clock_step=0.0,
    plan=0,
    reduction=0.0,
)
def _() -> Iterator[None]:
    with replaced(belief, "_risen", lambda *_: 0):
        yield


@mutant(
    "unknown costs are settled as free",
    "INV-5",
    "INV-1",
    "T5",
    lost_answer=0.7,
    foreign=0.0,
    overrun=0.0,
    gift=False,
    share=0.5,
)
def _() -> Iterator[None]:
    honest = observing._settle

    def free(draft, verdict, unknown, *, since):
        for call in unknown if verdict.closes else ():
            draft.add(facts.Settled(tokens=0), call.terms)
        honest(draft, verdict, [], since=since)

    with replaced(observing, "_settle", free):
        yield


@mutant(
    "a late cost leaves the rest of its estimate to nobody",
    "S1",
    callers=2,
    pace=15.0,
    busy=140.0,
    jobs=0.0,
    death=0.0,
    reconcile=120.0,
    lost_answer=0.0,
    late_commit=0.9,
    foreign=8.0,
    clock_step=0.0,
    plan=0,
    lie=0.0,
    liar=0.0,
    reduction=0.0,
)
def _() -> Iterator[None]:
    with replaced(estimating, "correct", lambda *_: None):
        yield


@mutant("unknown costs wait for ever", "L1", lost_answer=0.5)
def _() -> Iterator[None]:
    with (
        replaced(belief, "unknown", lambda _: []),
        replaced(observing, "look_again", lambda *_: None),
    ):
        yield


@mutant("a release needs no proof", "INV-5")
def _() -> Iterator[None]:
    honest = settling.release

    def lenient(state, command, now):
        found = state.find(command.reservation)
        if found is not None and found.stage is Stage.COMMITTED and found.terms.parent is None:
            return Decision(state=state, answer=found)
        return honest(state, command, now)

    with replaced(decide._DECIDERS, commands.Release, lenient):
        yield


@mutant("a replica trusts its own copy", "INV-10", "INV-6", "BUG")
def _() -> Iterator[None]:
    honest = Database.tail

    def deaf(database, account, after):
        return honest(database, account, after) if after == 0 else []

    with replaced(Database, "tail", deaf), replaced(Database, "check", lambda *_: None):
        yield


@mutant("a retry does not look into the past", "INV-2", "INV-4", "BUG")
def _() -> Iterator[None]:
    with replaced(writer, "recall", lambda state, *_: state):
        yield


@mutant("a snapshot forgets what is uncovered", "INV-6", "BUG", crash=0.1, bare_answer=0.9)
def _() -> Iterator[None]:
    honest = snapshots.decode

    def forgetful(data, rules):
        state = honest(data, rules)
        return replace(state, charged=state.charged - state.uncovered_tokens, uncovered_tokens=0)

    with replaced(snapshots, "decode", forgetful):
        yield


@mutant("an answer is given before it is stored", "INV-4", "INV-2")
def _() -> Iterator[None]:
    honest = Database.commit

    def sometimes(database, account, entries, at):
        if len(database.ledgers[account]) % 7 != 6:
            honest(database, account, entries, at)

    with replaced(Database, "commit", sometimes):
        yield


@mutant(
    "a stretch is replayed from end to end, past the balances in between",
    "S4",
    **RAID,
)
def _() -> Iterator[None]:
    with replaced(drift, "_inside", lambda *_: []):
        yield
