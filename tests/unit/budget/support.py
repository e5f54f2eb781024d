"""An account in memory: the pure ledger with a clock, for tests that tell a story."""
# ruff: noqa: D102 - the names say it

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from services.budget.domain.balance import EPOCH, MILLISECOND, Observation
from services.budget.domain.commands import (
    Admit,
    Command,
    Commit,
    Extend,
    Leave,
    Release,
    Report,
    Reserve,
    Sweep,
)
from services.budget.domain.decide import decide
from services.budget.domain.draft import Decision
from services.budget.domain.entries import Entry
from services.budget.domain.reservation import Reservation, Tags, Terms
from services.budget.domain.rules import STANDARD, Kind, Priority, Reason, Rules
from services.budget.domain.state import State
from services.chassis.errors import Refusal

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
TICK_MS = 60_200


class Book:
    """One account's ledger: every decision is kept, every entry in order."""

    def __init__(self, rules: Rules = STANDARD) -> None:
        self.state = State(account="default", rules=rules)
        self.entries: list[Entry] = []
        self.now = START

    def do(self, command: Command) -> Decision | Refusal:
        outcome = decide(self.state, command, self.now)
        if isinstance(outcome, Decision):
            self.state = outcome.state
            self.entries.extend(outcome.entries)
        return outcome

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def see(self, tokens: int, *, after: int | None = None, **fields: int) -> bool:
        """Report a balance stated now; the reporter has read everything unless told otherwise."""
        read = self.state.sequence if after is None else after
        report = Report(
            request_id=uuid4(), observation=self.stated(tokens, **fields), after_sequence=read
        )
        outcome = self.do(report)
        assert isinstance(outcome, Decision)
        assert isinstance(outcome.answer, bool)
        return outcome.answer

    def stated(self, tokens: int, **fields: int) -> Observation:
        """What Keepa would say now, with the next tick on its 60.2 s grid."""
        arrived = fields.pop("arrived_ms", (self.now - EPOCH) // MILLISECOND)
        processing = fields.pop("processing_ms", 0)
        refill_in = TICK_MS - (arrived + processing) % TICK_MS
        fields = {"refill_in_ms": refill_in, "refill_rate": 20} | fields
        return Observation(arrived_ms=arrived, processing_ms=processing, tokens=tokens, **fields)

    def reserve(self, tokens: int, **terms: object) -> Reservation | Refusal:
        wait = terms.pop("max_wait", timedelta(0))
        outcome = self.do(Reserve(terms=asked(tokens, **terms), max_wait=wait))
        return outcome.answer if isinstance(outcome, Decision) else outcome

    def commit(
        self, held: Reservation, tokens: int, left: int | None = None, **fields: int
    ) -> Reservation | Refusal:
        """Commit, with the balance ``left`` in the answer when there was one."""
        after = fields.pop("after", 0)
        seen = None if left is None else self.stated(left, **fields)
        outcome = self.do(
            Commit(
                request_id=uuid4(),
                reservation=held.id,
                tokens=tokens,
                observation=seen,
                after_sequence=after,
            )
        )
        return outcome.answer if isinstance(outcome, Decision) else outcome

    def release(self, held: Reservation, reason: Reason = Reason.NOT_SENT) -> Reservation | Refusal:
        outcome = self.do(Release(request_id=uuid4(), reservation=held.id, reason=reason))
        return outcome.answer if isinstance(outcome, Decision) else outcome

    def extend(self, held: Reservation, seconds: float) -> Reservation | Refusal:
        command = Extend(request_id=uuid4(), reservation=held.id, hold=timedelta(seconds=seconds))
        outcome = self.do(command)
        return outcome.answer if isinstance(outcome, Decision) else outcome

    def sweep(self) -> None:
        self.do(Sweep())

    def admit(self) -> None:
        self.do(Admit())

    def leave(self, queued: Reservation) -> None:
        self.do(Leave(reservation=queued.id))

    def view(self, reservation: Reservation) -> Reservation:
        found = self.state.find(reservation.id)
        assert found is not None
        return found

    @property
    def available(self) -> int:
        return self.state.available(self.now)

    def kinds(self, since: int = 0) -> list[str]:
        return [type(entry.fact).__name__ for entry in self.entries if entry.sequence > since]

    def total(self, kind: str) -> int:
        facts = (entry.fact for entry in self.entries)
        return sum(fact.tokens for fact in facts if type(fact).__name__ == kind)


def asked(tokens: int, **terms: object) -> Terms:
    fields = {"id": uuid4(), "tokens": tokens} | terms
    caller = fields.pop("caller", "")
    return Terms(**fields, tags=Tags(caller=caller))


def opened(tokens: int = 1200, rules: Rules = STANDARD, rate: int = 20) -> Book:
    """Return an account whose balance was just observed."""
    book = Book(rules)
    book.see(tokens, refill_rate=rate)
    return book


def granted(outcome: Reservation | Refusal | None) -> Reservation:
    assert isinstance(outcome, Reservation), outcome
    return outcome


def refused(outcome: object, reason: str) -> Refusal:
    assert isinstance(outcome, Refusal), outcome
    assert outcome.reason == reason, outcome
    return outcome


ENVELOPE, BACKGROUND, JOB = Kind.ENVELOPE, Priority.BACKGROUND, Priority.JOB
