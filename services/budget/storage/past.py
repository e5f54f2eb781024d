"""The past of single reservations, told from their own entries and nothing else."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from services.budget.domain.entries import Entry
from services.budget.domain.evolve import evolve
from services.budget.domain.reservation import Reservation
from services.budget.domain.state import Bound, State
from services.budget.domain.values import replace

# As arrays, not as joins: the planner then reads the indexes whatever it believes of sizes.
TOUCHED = """
with touched as (
    select $1::uuid[] || array(
        select reservation from budget.ledger
        where request_id = any($1::uuid[]) and reservation is not null) as ids)
"""


def left_by(entries: Iterable[Entry], asked: Collection[int]) -> Mapping[int, Reservation]:
    """Tell by sequence how some entries left their reservations.

    Args:
        entries: All of those reservations and of their children, in order.
        asked: Sequences of the entries in question.
    """
    state, found = State(account=""), dict[int, Reservation]()
    for entry in entries:
        state = evolve(replace(state, sequence=entry.sequence - 1), entry)
        if entry.sequence in asked and entry.about.reservation is not None:
            told = state.find(entry.about.reservation)
            assert told is not None, entry
            found[entry.sequence] = told
    return found


def retell(entries: Iterable[Entry]) -> tuple[Mapping[UUID, Reservation], Mapping[UUID, Bound]]:
    """Fold the entries of some reservations and of their children.

    The gaps between them concern others. Sums of the account mean nothing here and are
    dropped; what is kept is each reservation, and what each request id was answered.
    """
    state = State(account="")
    for entry in entries:
        state = evolve(replace(state, sequence=entry.sequence - 1), entry)
    told = {} if state.sequence == 0 else {**state.past, **state.waiting, **state.live}
    return told, state.bound
