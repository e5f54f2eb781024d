"""The ledger as events: what each entry tells others, with the state it left."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import events_pb2 as events
from google.protobuf.message import Message

from services.budget.domain import entries as facts
from services.budget.domain.entries import Entry
from services.budget.domain.reservation import Reservation
from services.budget.domain.state import State
from services.chassis.events.publisher import Outgoing
from services.chassis.rpc import times

NAMESPACE = UUID("6f0c1a52-6d1e-5c43-9a1b-2d0e7c1f4b90")  # Of ids that follow from the ledger.


@dataclass(frozen=True, slots=True)
class Words:
    """How the contract says what events carry."""

    account: Callable[[State, datetime], pb.Account]
    reservation: Callable[[Reservation], pb.Reservation]
    warning: Callable[[int, int], str]


class Announcer:
    """Turns entries into events; ids follow from the ledger, so that a repetition is a copy."""

    kinds: Collection[type[facts.Fact]] = (
        facts.BalanceLow,
        facts.Overflow,
        facts.Foreign,
        facts.Credit,
        facts.Committed,
        facts.Released,
        facts.Unknown,
        facts.Settled,
    )

    def __init__(self, words: Words) -> None:
        self._words = words

    def event(self, account: str, entry: Entry, reservation: Reservation | None) -> Outgoing:
        """Build what an entry tells, given its reservation as the entry left it."""
        event = self._event(f"accounts/{account}", entry, reservation)
        # A ledger that lost its last entries gives their sequences away again, at other times.
        return _outgoing(f"{account}/{entry.sequence}/{entry.at.isoformat()}", entry.at, event)

    def balance(self, state: State, now: datetime) -> Outgoing:
        """Build the newest state of an account."""
        event = events.BalanceChanged(account=self._words.account(state, now))
        return _outgoing(f"{state.account}/{state.sequence}", now, event)

    def _event(self, name: str, entry: Entry, reservation: Reservation | None) -> Message:
        match entry.fact:
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
        assert reservation is not None, entry
        return events.ReservationEnded(reservation=self._words.reservation(reservation))


def _drift(name: str, entry: Entry) -> events.DriftDetected:
    foreign = isinstance(entry.fact, facts.Foreign)
    return events.DriftDetected(
        account=name,
        kind=pb.LEDGER_ENTRY_KIND_FOREIGN if foreign else pb.LEDGER_ENTRY_KIND_CREDIT,
        token_count=entry.fact.tokens,
        sequence=entry.sequence,
        detect_time=times.timestamp(entry.at),
    )


def _outgoing(source: str, at: datetime, event: Message) -> Outgoing:
    name = event.DESCRIPTOR.full_name
    return Outgoing(
        event_id=uuid5(NAMESPACE, f"{source}/{name}"),
        message_name=name,
        payload=event.SerializeToString(deterministic=True),
        occurred_at=at,
    )
