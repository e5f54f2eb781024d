"""One reservation: what was asked for, and what has become of it."""

from datetime import datetime, timedelta
from uuid import UUID

from services.budget.domain.rules import Kind, Priority, Stage
from services.budget.domain.values import Value, replace

DEFAULT_ACCOUNT = "default"
HOLD = timedelta(seconds=180)
WITHOUT_OUTCOME = (Stage.HELD, Stage.UNKNOWN)  # Of calls: they may still cost something.


class Tags(Value, frozen=True, kw_only=True):
    """Who spends and what for; usage is summed by these."""

    caller: str = ""
    action: str = ""
    endpoint: str = ""
    job: UUID | None = None


NO_TAGS = Tags()


class Terms(Value, frozen=True, kw_only=True):
    """What was asked for; it never changes.

    Attributes:
        id: The caller's request id; the reservation carries it as its own.
        tokens: The most that the call or the envelope may cost.
        gate: Tokens that must be available before the grant, whatever it costs.
        hold: How long the tokens stay held without an outcome.
    """

    id: UUID
    account: str = DEFAULT_ACCOUNT
    tokens: int
    kind: Kind = Kind.CALL
    priority: Priority = Priority.INTERACTIVE
    parent: UUID | None = None
    gate: int = 0
    hold: timedelta = HOLD
    tags: Tags = NO_TAGS

    @property
    def required(self) -> int:
        """Tokens that must be available: the cost and the floor, or the gate."""
        return max(self.tokens + self.priority.floor, self.gate)


class Reservation(Value, frozen=True, kw_only=True):
    """A reservation as the ledger tells it.

    Attributes:
        sequence: Of its newest entry.
        committed: Tokens consumed or settled; of an envelope, by its children so far.
        overrun: The part of ``committed`` above what was held.
        live: Bounds of an envelope's children that are HELD.
        unknown: Bounds of an envelope's children that are UNKNOWN.
        covered: The part of an envelope's ``committed`` that the anchor reflects.
        content: Fingerprint of the request that waits or was granted.
        until: When the wait ends; None unless WAITING.
        promised_at: When a WAITING one is expected to start.
        first: Whether that is a promise, which only a higher priority may move.
    """

    terms: Terms
    stage: Stage
    created_at: datetime
    sequence: int
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    committed: int = 0
    overrun: int = 0
    live: int = 0
    unknown: int = 0
    covered: int = 0
    content: str = ""
    until: datetime | None = None
    promised_at: datetime | None = None
    first: bool = False

    @property
    def id(self) -> UUID:
        """Its id."""
        return self.terms.id

    @property
    def open_envelope(self) -> bool:
        """Whether calls may still draw on it, expiry aside."""
        return self.terms.kind is Kind.ENVELOPE and self.stage is Stage.HELD

    @property
    def rest(self) -> int:
        """Tokens that may still be drawn from an open envelope."""
        if not self.open_envelope:
            return 0
        return max(0, self.terms.tokens - self.committed - self.live - self.unknown)

    @property
    def unsettled(self) -> int:
        """Tokens whose outcome is unknown, at their bounds.

        What an envelope's calls still hold at its end belongs to it: who reads its cost then
        must know that it is not the last word.
        """
        if self.terms.kind is Kind.CALL:
            return self.terms.tokens if self.stage is Stage.UNKNOWN else 0
        return self.unknown if self.stage is Stage.HELD else self.unknown + self.live

    @property
    def charge(self) -> int:
        """What it takes from the account's available tokens, its children included.

        An envelope takes its amount, or more when its calls overran it, less what Keepa's
        newest balance already shows as spent. A child takes nothing of its own.
        """
        if self.terms.kind is Kind.ENVELOPE:
            amount = self.terms.tokens if self.stage is Stage.HELD else 0
            return max(amount, self.committed + self.live + self.unknown) - self.covered
        return self.bound if self.terms.parent is None else 0

    @property
    def bound(self) -> int:
        """What a call that has no outcome yet may cost at most."""
        return self.terms.tokens if self.stage in WITHOUT_OUTCOME else 0

    def with_child(
        self, *, live: int = 0, unknown: int = 0, committed: int = 0, covered: int = 0
    ) -> "Reservation":
        """Return this envelope after a change of its children's sums."""
        return replace(
            self,
            live=self.live + live,
            unknown=self.unknown + unknown,
            committed=self.committed + committed,
            covered=self.covered + covered,
        )
