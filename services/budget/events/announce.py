"""The ledger as events: what each entry tells others, with the state it left."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.budget.domain import entries as facts
from services.budget.domain.entries import Entry
from services.budget.domain.reservation import Reservation
from services.budget.domain.state import State
from services.chassis.events.publisher import Outgoing

NAMESPACE = UUID("6f0c1a52-6d1e-5c43-9a1b-2d0e7c1f4b90")  # Of ids made from (account, sequence).


@dataclass(frozen=True, slots=True)
class Words:
    """How the contract says what events carry."""

    account: Callable[[State, datetime], pb.Account]
    reservation: Callable[[Reservation], pb.Reservation]
    warning: Callable[[int, int], str]


class Announcer:
    """Turns entries into events; ids follow from the ledger, so that a repetition is a copy."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def events(self, entry: Entry, state: State) -> Iterator[Outgoing]:
        """Yield what an entry tells, given the state right after it."""
        event = self._event(entry, state)
        if event is not None:
            yield _outgoing(state.account, entry.sequence, entry.at, event)

    def balance(self, state: State, now: datetime) -> Outgoing:
        """Build the newest state of an account."""
        event = events.BalanceChanged(account=self._words.account(state, now))
        return _outgoing(state.account, state.sequence, now, event)

    def _event(self, entry: Entry, state: State) -> Message | None:
        name, fact = f"accounts/{state.account}", entry.fact
        match fact:
            case facts.BalanceLow(tokens=tokens, threshold=threshold):
                return events.BalanceLow(
                    account=name,
                    balance_token_count=tokens,
                    threshold_token_count=threshold,
                    message=self._words.warning(tokens, threshold),
                    sequence=entry.sequence,
                )
            case facts.Overflow(tokens=tokens):
                return events.OverflowBooked(
                    account=name, token_count=tokens, sequence=entry.sequence
                )
            case facts.Foreign() | facts.Credit():
                return _drift(name, entry)
            case facts.Committed() | facts.Released() | facts.Unknown() | facts.Settled():
                ended = state.find(entry.about.reservation) if entry.about.reservation else None
                assert ended is not None, entry
                return events.ReservationEnded(reservation=self._words.reservation(ended))
        return None


def _drift(name: str, entry: Entry) -> events.DriftDetected:
    foreign = isinstance(entry.fact, facts.Foreign)
    detected = Timestamp()
    detected.FromDatetime(entry.at)
    return events.DriftDetected(
        account=name,
        kind=pb.LEDGER_ENTRY_KIND_FOREIGN if foreign else pb.LEDGER_ENTRY_KIND_CREDIT,
        token_count=entry.fact.tokens,
        sequence=entry.sequence,
        detect_time=detected,
    )


def _outgoing(account: str, sequence: int, at: datetime, event: Message) -> Outgoing:
    name = event.DESCRIPTOR.full_name
    return Outgoing(
        event_id=uuid5(NAMESPACE, f"{account}/{sequence}/{name}"),
        message_name=name,
        payload=event.SerializeToString(deterministic=True),
        occurred_at=at,
    )
