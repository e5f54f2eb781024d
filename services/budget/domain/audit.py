"""The ledger checked against its own promises, entry by entry."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.budget.domain.entries import Entry, Held, Observed
from services.budget.domain.evolve import evolve, forget
from services.budget.domain.rules import Stage
from services.budget.domain.state import State

SWEEP_GRACE = timedelta(seconds=10)
MOST_VIOLATIONS = 100


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that the ledger breaks; sequence 0 concerns the whole of it."""

    invariant: str
    sequence: int
    description: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What a replay found."""

    entries: int
    spent: int
    violations: tuple[Violation, ...]


class Auditor:
    """Takes entries in order and remembers what is wrong with them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._entries = 0
        self._bound: set[UUID] = set()
        self._violations: list[Violation] = []

    def take(self, entry: Entry) -> None:
        """Check one entry, then fold it in."""
        if entry.sequence != self._state.sequence + 1:
            told = f"Entry {entry.sequence} follows {self._state.sequence}."
            self._blame("INV-10", entry.sequence, told)
            return
        self._check(entry)
        self._state = forget(evolve(self._state, entry))
        self._entries += 1

    def findings(self, stored: State, now: datetime) -> Findings:
        """Compare the replay with the state in use."""
        if forget(stored) != self._state:
            told = f"The replay to {self._state.sequence} differs from the state in use."
            self._blame("INV-6", 0, told)
        for held in self._state.live.values():
            due = held.expires_at
            if held.stage is Stage.HELD and due is not None and due + SWEEP_GRACE < now:
                told = f"reservations/{held.id} is held past its expiry of {due.isoformat()}."
                self._blame("INV-3", held.sequence, told)
        return Findings(self._entries, self._state.spent, tuple(self._violations))

    def _check(self, entry: Entry) -> None:
        fact, anchor = entry.fact, self._state.anchor
        if isinstance(fact, Held) and fact.terms.parent is None:
            floor = fact.terms.priority.floor
            if entry.available < floor:
                told = f"The grant of {fact.tokens} left {entry.available}, below {floor}."
                self._blame("INV-1", entry.sequence, told)
        if entry.request_id is not None:
            if entry.request_id in self._bound:
                self._blame("INV-2", entry.sequence, f"{entry.request_id} has a second outcome.")
            self._bound.add(entry.request_id)
        if isinstance(fact, Observed) and fact.newest and anchor is not None:
            earlier, later = anchor.observation.made_ms, fact.observation.made_ms
            if later < earlier:
                told = f"The anchor moves back from {earlier} to {later}."
                self._blame("INV-7", entry.sequence, told)

    def _blame(self, invariant: str, sequence: int, description: str) -> None:
        if len(self._violations) < MOST_VIOLATIONS:
            self._violations.append(Violation(invariant, sequence, description))
