"""The past of single reservations, told from their own entries and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from services.budget.domain.entries import Entry
from services.budget.domain.evolve import evolve
from services.budget.domain.reservation import Reservation
from services.budget.domain.state import Bound, State

TOUCHED = """
with named as (select unnest($1::uuid[]) as id),
touched as (
    select id from named
    union
    select l.reservation from budget.ledger l join named on l.request_id = named.id
    where l.reservation is not null)
"""


def retell(entries: Iterable[Entry]) -> tuple[Mapping[UUID, Reservation], Mapping[UUID, Bound]]:
    """Fold the entries of some reservations and of their children.

    The gaps between them concern others. Sums of the account mean nothing here and are
    dropped; what is kept is each reservation, and what each request id was answered.
    """
    state = State(account="")
    for entry in entries:
        state = evolve(replace(state, sequence=entry.sequence - 1), entry)
    return {**state.past, **state.waiting, **state.live}, state.bound
