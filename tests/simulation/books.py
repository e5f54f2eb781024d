"""The account kept a second time, from the rules alone: no line is shared with the ledger's own."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

FIRST_TICK_SLACK = 0.300
TICK_SPACING = 60.25
OPEN = ("HELD", "UNKNOWN")
NEXT = {
    None: {"WAITING", "HELD"},
    "WAITING": {"HELD", "RELEASED"},
    "HELD": {"COMMITTED", "RELEASED", "UNKNOWN"},
    "UNKNOWN": {"COMMITTED", "RELEASED", "SETTLED"},
    "RELEASED": {"COMMITTED"},
    "SETTLED": {"COMMITTED", "SETTLED"},
    "COMMITTED": set(),
}


@dataclass
class Row:
    """A reservation as its entries tell it.

    Attributes:
        granted: Whether it ever held tokens; one that only waited may wait again.
        covered: Whether the newest balance reflects its cost.
        settled: The estimate that a settlement put there; None without one.
    """

    terms: Any
    stage: str | None = None
    granted: bool = False
    expires: datetime | None = None
    until: datetime | None = None
    promised: datetime | None = None
    arrived: int = 0
    cost: int = 0
    covered: bool = True
    committed_at: int = 0
    settled: int | None = None

    @property
    def envelope(self) -> bool:
        """Whether calls draw on it."""
        return str(self.terms.kind) == "ENVELOPE"

    @property
    def takes(self) -> int:
        """What it takes of the balance by itself: its bound while open, its uncovered cost."""
        if self.envelope:
            return 0
        if self.stage in OPEN:
            return int(self.terms.tokens)
        return 0 if self.covered else self.cost


@dataclass
class Books:
    """One account, entry by entry; ``wrong`` collects what the rules forbid."""

    rows: dict[UUID, Row] = field(default_factory=dict)
    children: dict[UUID, list[Row]] = field(default_factory=dict)
    anchor: Any = None
    anchored_at: datetime | None = None
    doubt: int = 0
    sequence: int = 0
    wrong: list[str] = field(default_factory=list)
    _busy: dict[UUID, Row] = field(default_factory=dict)

    def balance(self, now: datetime) -> int:
        """What is certainly at Keepa: whole ticks that surely happened, clamped."""
        if self.anchor is None or self.anchored_at is None:
            return 0
        seen = self.anchor
        elapsed = (now - self.anchored_at) / timedelta(seconds=1)
        first = seen.refill_in_ms / 1000 + FIRST_TICK_SLACK
        ticks = 0
        while elapsed >= first + ticks * TICK_SPACING - 1e-7:
            ticks += 1
        gained = ticks * (1000 * seen.refill_rate - seen.flow_reduction_milli) // 1000
        return int(min(60 * seen.refill_rate, seen.tokens + gained))

    def start(self, required: int, now: datetime) -> datetime | None:
        """Say when ticks alone make a number of tokens available; None for never, or too far.

        Beyond the capacity there is no telling: what is charged must be spent first.
        """
        if self.anchor is None or self.anchored_at is None:
            return None
        wanted = required + self.charged() + self.doubt
        seen = self.anchor
        if wanted > 60 * seen.refill_rate:
            return None
        net, ticks = 1000 * seen.refill_rate - seen.flow_reduction_milli, 0
        if net <= 0 and seen.tokens < wanted:
            return None
        while seen.tokens + ticks * net // 1000 < wanted:
            ticks += 1
        if ticks == 0:
            return now
        seconds = seen.refill_in_ms / 1000 + FIRST_TICK_SLACK + (ticks - 1) * TICK_SPACING
        return max(now, self.anchored_at + timedelta(seconds=seconds))

    def exposed(self) -> int:
        """What calls may take of the balance, at most, and have taken without its showing."""
        return sum(row.takes for row in self._busy.values())

    def charged(self) -> int:
        """What is subtracted: calls outside of envelopes, and each envelope once."""
        plain = sum(row.takes for row in self._busy.values() if row.terms.parent is None)
        envelopes = {row.terms.parent or key for key, row in self._busy.items()}
        return plain + sum(
            self._drawn(self.rows[key]) for key in envelopes if self.rows[key].envelope
        )

    def _drawn(self, row: Row) -> int:
        drawn = covered = 0
        for child in self.children.get(row.terms.id, ()):
            drawn += child.terms.tokens if child.stage in OPEN else child.cost
            covered += child.cost if child.stage not in OPEN and child.covered else 0
        amount = row.terms.tokens if row.stage == "HELD" else 0
        return int(max(amount, drawn) - covered)

    def available(self, now: datetime) -> int:
        """What a grant could use, before any floor."""
        return self.balance(now) - self.charged() - self.doubt

    def cash(self, now: datetime) -> int:
        """What is left if every call costs its bound; rests of envelopes are in it."""
        return self.balance(now) - self.exposed() - self.doubt

    def rest(self, envelope: Row) -> int:
        """What may still be drawn."""
        drawn = sum(
            child.terms.tokens if child.stage in OPEN else child.cost
            for child in self.children.get(envelope.terms.id, ())
        )
        return int(envelope.terms.tokens - drawn)

    def open_calls(self) -> list[Row]:
        """Calls without an outcome."""
        return [row for row in self._busy.values() if row.stage in OPEN and not row.envelope]

    def waiting(self) -> Iterable[Row]:
        """Those in the queue."""
        return [row for row in self.rows.values() if row.stage == "WAITING"]

    def take(self, entry: Any) -> None:
        """Fold one entry in."""
        if entry.sequence != self.sequence + 1:
            self.wrong.append(f"INV-10: {entry.sequence} follows {self.sequence}")
        self.sequence = entry.sequence
        kind = type(entry.fact).__name__.lower()
        handler = getattr(self, f"_on_{kind}", None)
        if handler is not None:
            handler(entry, entry.fact)

    def _move(self, entry: Any, stage: str) -> Row:
        key = entry.about.reservation
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = Row(entry.fact.terms)
            if row.terms.parent is not None:
                self.children.setdefault(row.terms.parent, []).append(row)
        again = row.stage == "RELEASED" and not row.granted and stage in NEXT[None]
        if stage not in NEXT[row.stage] and not again:
            self.wrong.append(f"INV-3: {key} goes from {row.stage} to {stage}")
        row.stage = stage
        if stage in OPEN or (row.envelope and row.stage == "HELD"):
            self._busy[key] = row
        elif row.covered:
            self._busy.pop(key, None)
        return row

    def _on_waiting(self, entry: Any, fact: Any) -> None:
        row = self._move(entry, "WAITING")
        row.terms, row.until, row.promised = fact.terms, fact.until, fact.promised_at
        row.arrived = entry.sequence

    def _on_held(self, entry: Any, fact: Any) -> None:
        row = self._move(entry, "HELD")
        row.terms, row.granted, row.expires = fact.terms, True, fact.expires_at

    def _on_extended(self, entry: Any, fact: Any) -> None:
        row = self.rows[entry.about.reservation]
        if row.expires is None or fact.expires_at < row.expires:
            self.wrong.append(f"INV-5: the expiry of {entry.about.reservation} moves back")
        row.expires = fact.expires_at

    def _on_committed(self, entry: Any, fact: Any) -> None:
        before = self.rows[entry.about.reservation].stage
        row = self._move(entry, "COMMITTED")
        row.cost, row.committed_at = fact.tokens, entry.sequence
        known = before == "SETTLED" or fact.tokens == 0
        row.covered = known or self._reflected(fact)
        if row.covered:
            self._busy.pop(entry.about.reservation, None)
        else:
            self._busy[entry.about.reservation] = row

    def _reflected(self, fact: Any) -> bool:
        """Whether the anchor is as new as the answer; of one millisecond only the ledger knows."""
        if fact.made_ms is None or self.anchor is None:
            return False
        anchored = self.anchor.arrived_ms + self.anchor.processing_ms
        return bool(fact.covered and fact.made_ms <= anchored)

    def _on_released(self, entry: Any, _: Any) -> None:
        self._move(entry, "RELEASED")

    def _on_unknown(self, entry: Any, _: Any) -> None:
        self._move(entry, "UNKNOWN")

    def _on_settled(self, entry: Any, fact: Any) -> None:
        row = self._move(entry, "SETTLED")
        if not 0 <= fact.tokens <= row.terms.tokens:
            self.wrong.append(f"L7: {entry.about.reservation} settled at {fact.tokens}")
        row.cost, row.settled, row.covered = fact.tokens, fact.tokens, True
        self._busy.pop(entry.about.reservation, None)

    def _on_observed(self, entry: Any, fact: Any) -> None:
        for key, row in list(self._busy.items()):
            seen = row.committed_at <= fact.after_sequence or fact.covers == key
            if row.stage == "COMMITTED" and not row.covered and seen:
                row.covered = True
                del self._busy[key]
        if fact.newest:
            self.anchor, self.anchored_at = fact.observation, entry.at
        self.doubt = fact.doubt
