"""A state as bytes and back, so that a restart replays only what came after it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from services.budget.domain.balance import Anchor, Observation
from services.budget.domain.mapping import Chain, Map
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import Rules
from services.budget.domain.state import Answered, Estimate, State, Uncovered

VERSION = 4  # Raised when the state changes; older snapshots are then left aside.

SCALARS = (
    "account",
    "sequence",
    "anchor",
    "previous",
    "baseline",
    "doubt",
    "announced",
    "charged",
    "calls",
    "held_calls",
    "unsettled",
    "uncovered_tokens",
    "spent",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """The state without what can be recalled."""

    account: str
    sequence: int
    anchor: Anchor | None
    previous: Observation | None
    baseline: Anchor | None
    doubt: int
    announced: int
    charged: int
    calls: int
    held_calls: int
    unsettled: int
    uncovered_tokens: int
    spent: int
    answered: list[Answered]
    between: list[Observation]
    live: list[Reservation]
    waiting: list[Reservation]
    uncovered: list[tuple[UUID, Uncovered]]
    estimates: tuple[Estimate, ...]


_decoder = msgspec.json.Decoder(_Kept)


def encode(state: State) -> bytes:
    """Return the state as JSON."""
    scalars: dict[str, Any] = {name: getattr(state, name) for name in SCALARS}
    kept = _Kept(
        **scalars,
        answered=list(state.answered),
        between=list(state.between),
        live=list(state.live.values()),
        waiting=list(state.waiting.values()),
        uncovered=list(state.uncovered.items()),
        estimates=state.estimates,
    )
    return msgspec.json.encode(kept)


def decode(data: bytes, rules: Rules) -> State:
    """Read a state under the rules that hold now."""
    kept = _decoder.decode(data)
    scalars: dict[str, Any] = {name: getattr(kept, name) for name in SCALARS}
    return State(
        **scalars,
        rules=rules,
        answered=Chain(kept.answered),
        between=Chain(kept.between),
        live=Map((each.id, each) for each in kept.live),
        waiting=Map((each.id, each) for each in kept.waiting),
        uncovered=Map(kept.uncovered),
        estimates=kept.estimates,
    )
