"""A decision in the making: facts are added one by one, each on the state left by the last."""

from datetime import datetime
from uuid import UUID

from services.budget.domain.entries import NOTHING, About, Entry, Fact
from services.budget.domain.evolve import evolve
from services.budget.domain.reservation import Reservation, Terms
from services.budget.domain.state import State
from services.budget.domain.values import Value, replace
from services.chassis.errors import Refusal

Answer = Reservation | bool | None


class Decision(Value, frozen=True, kw_only=True):
    """What is appended, the state after it, and what the caller is told.

    Attributes:
        answer: The reservation of a grant or a settlement; whether a report was accepted.
        refusal: What the caller is told instead, when what is appended is the end of a wait.
    """

    state: State
    entries: tuple[Entry, ...] = ()
    answer: Answer = None
    refusal: Refusal | None = None


class Draft:
    """Collects the entries of one decision; the only mutable thing in the domain."""

    def __init__(self, state: State, now: datetime) -> None:
        self.state = state
        self.now = now
        self._entries: list[Entry] = []

    def add(
        self,
        fact: Fact,
        terms: Terms | None = None,
        *,
        request_id: UUID | None = None,
        content: str = "",
    ) -> None:
        """Append a fact about the reservation of ``terms``, or about the account."""
        entry = Entry(
            sequence=self.state.sequence + 1,
            at=self.now,
            fact=fact,
            about=_about(terms),
            request_id=request_id,
            content=content,
        )
        self.state = evolve(self.state, entry)
        self._entries.append(replace(entry, available=self.state.available(self.now)))

    def decision(self, answer: Answer = None) -> Decision:
        """Close the draft."""
        return Decision(state=self.state, entries=tuple(self._entries), answer=answer)

    def answer(self, reservation: UUID) -> Decision:
        """Close the draft with a reservation as it now stands."""
        return self.decision(self.state.find(reservation))


def _about(terms: Terms | None) -> About:
    if terms is None:
        return NOTHING
    return About(reservation=terms.id, parent=terms.parent, tags=terms.tags)
