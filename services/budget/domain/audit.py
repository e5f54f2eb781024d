"""The ledger checked against its own promises, entry by entry."""

from collections.abc import Collection
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
class Audit:
    """What a replay has come to: the state after its last entry, and what is wrong until there."""

    state: State
    violations: tuple[Violation, ...] = ()


class Auditor:
    """Takes entries in order and remembers what is wrong with them.

    Args:
        audit: Where to go on from; that of an empty state begins at the first entry.

    Attributes:
        stuck: Whether an entry was met behind which nothing can be replayed.
    """

    def __init__(self, audit: Audit) -> None:
        self.stuck = False
        self._state = audit.state
        self._violations = list(audit.violations)

    @property
    def audit(self) -> Audit:
        """What the replay has come to."""
        return Audit(self._state, tuple(self._violations))

    def take(self, entry: Entry, twice: Collection[UUID] = ()) -> None:
        """Check one entry, then fold it in; nothing once the replay is stuck.

        ``twice`` holds the request ids that more than one entry binds, in whichever ledger.
        """
        if self.stuck:
            return
        last = self._state.sequence
        if entry.sequence != last + 1:
            self.stuck = True
            self._blame("INV-10", entry.sequence, f"Entry {entry.sequence} follows {last}.")
            return
        self._check(entry, twice)
        try:
            self._state = forget(evolve(self._state, entry))
        except (AssertionError, KeyError):  # It concerns what the replay knows nothing of.
            self.stuck = True
            told = f"Entry {entry.sequence} makes no sense after the {last} before it."
            self._blame("INV-6", entry.sequence, told)

    def unreadable(self, sequence: int, description: str) -> None:
        """Say that the next entry is there but cannot be read."""
        self.stuck = True
        self._blame("INV-6", sequence, description)

    def end(self, until: int) -> None:
        """Say that the ledger has no more entries, where it should have them."""
        self.stuck = True
        told = f"The ledger ends at {self._state.sequence}, the state in use is at {until}."
        self._blame("INV-10", 0, told)

    def compare(self, used: State, now: datetime) -> None:
        """Compare what the replay has come to with the state in use."""
        if forget(used) != self._state:
            told = f"The replay to {self._state.sequence} differs from the state in use."
            self._blame("INV-6", 0, told)
        for held in self._state.live.values():
            due = held.expires_at
            if held.stage is Stage.HELD and due is not None and due + SWEEP_GRACE < now:
                told = f"reservations/{held.id} is held past its expiry of {due.isoformat()}."
                self._blame("INV-3", held.sequence, told)

    def _check(self, entry: Entry, twice: Collection[UUID]) -> None:
        fact, anchor = entry.fact, self._state.anchor
        if isinstance(fact, Held) and fact.terms.parent is None:
            floor = fact.terms.priority.floor
            if entry.available < floor:
                told = f"The grant of {fact.tokens} left {entry.available}, below {floor}."
                self._blame("INV-1", entry.sequence, told)
        if entry.request_id in twice:
            told = f"{entry.request_id} has more than one outcome."
            self._blame("INV-2", entry.sequence, told)
        if isinstance(fact, Observed) and fact.newest and anchor is not None:
            earlier, later = anchor.observation.made_ms, fact.observation.made_ms
            if later < earlier:
                told = f"The anchor moves back from {earlier} to {later}."
                self._blame("INV-7", entry.sequence, told)

    def _blame(self, invariant: str, sequence: int, description: str) -> None:
        if len(self._violations) < MOST_VIOLATIONS:
            self._violations.append(Violation(invariant, sequence, description))
