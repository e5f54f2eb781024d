"""What the ledger needs from outside, in its own words."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from services.budget.domain.audit import Audit
from services.budget.domain.entries import Entry
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import Rules, Stage
from services.budget.domain.state import Bound, State


class Conflict(Exception):  # noqa: N818 - a planned outcome of a race, cured by deciding again
    """Somebody else stored a request id or a sequence first; nothing of ours was stored."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """The part of the past that some ids name.

    Attributes:
        bound: By request id, what it stands for.
    """

    reservations: Sequence[Reservation]
    bound: Mapping[UUID, Bound]


class Turn(Protocol):
    """One transaction that holds an account alone; it ends with all of it stored, or nothing."""

    @property
    def now(self) -> datetime:
        """The database's clock, read after the account was locked."""
        ...

    @property
    def known_at(self) -> datetime | None:
        """When the entry was stored that the reader knows as the newest; None when it is not there."""
        ...

    @property
    def tail(self) -> Sequence[Entry]:
        """Entries that the reader had not seen, in order."""
        ...

    @property
    def recalled(self) -> Recalled:
        """The past of the ids that were asked for, whichever account they belong to."""
        ...

    async def append(self, entries: Sequence[Entry]) -> None:
        """Add entries at the end of the ledger.

        Raises:
            Conflict: A request id is bound already; nothing is stored.
        """
        ...

    async def keep(self, state: State) -> None:
        """Store a state, so that a restart need not replay everything before it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Entries decided on a state that may no longer be the newest.

    Attributes:
        after: The sequence of that state.
        decided_at: The database's time as it was estimated for the decisions.
        tolerance: How far behind the database's clock that may turn out to be.
        ring: Whether other replicas and the relay should hear of it at once.
        strange: Ids of which the state knows nothing and that the entries do not bind; the
            decisions hold only if the ledger knows nothing of them either.
    """

    after: int
    decided_at: datetime
    tolerance: timedelta
    ring: bool
    strange: Collection[UUID]
    entries: Sequence[Entry]


class Bell(Protocol):
    """Rings after somebody has written to a ledger; a hint only, so every wait is bounded."""

    async def wait(self, seconds: float) -> None:
        """Sleep until it rings, or for so long."""
        ...


class Shortcut(Protocol):
    """A way to store without a turn, for a replica that was the last one to write."""

    async def store(self, account: str, batch: Batch) -> datetime | None:
        """Store a batch at once and return the database's clock; None when a turn is needed.

        An id that the entries bind and that was queued in another account needs one, too.

        Raises:
            Conflict: A request id is bound already; nothing is stored.
            Refusal: STORAGE_UNAVAILABLE; the batch is stored entirely or not at all.
        """
        ...

    async def keep(self, state: State) -> None:
        """Store a state unless a newer one is kept; see ``Turn.keep``."""
        ...

    async def ring(self, account: str) -> None:
        """Let relays and other replicas know that there are entries they may not have seen."""
        ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a verification had come to.

    Attributes:
        digest: Differs from that of any other audit.
        at: When it was kept, by the database's clock.
    """

    audit: Audit
    digest: str
    at: datetime


class Checkpoints(Protocol):
    """What verifications have come to; see ``Ledger`` for what every method raises."""

    async def newest_checkpoint(self, account: str, until: int, rules: Rules) -> Checkpoint | None:
        """Return the last one that is not beyond a sequence; None when none can be read."""
        ...

    async def checkpoint(self, account: str, sequence: int, rules: Rules) -> Checkpoint | None:
        """Return the one at a sequence; None when none can be read."""
        ...

    async def keep_checkpoint(self, audit: Audit, *, replace: bool) -> str:
        """Store an audit and return its digest.

        One that is there already at the same sequence stays, unless it is to be replaced.
        """
        ...

    async def bound_twice(self, ids: Collection[UUID]) -> Collection[UUID]:
        """Return those of some request ids that more than one entry of any account binds."""
        ...


class Ledger(Checkpoints, Protocol):
    """The ledgers of all accounts.

    Every method raises a Refusal STORAGE_UNAVAILABLE when the database cannot answer; what was
    under way is then stored entirely or not at all.
    """

    def turn(
        self, account: str, after: int, ids: Collection[UUID]
    ) -> AbstractAsyncContextManager[Turn]:
        """Take the account alone, reading what came after a sequence and the past of ``ids``.

        Raises:
            Refusal: ACCOUNT_NOT_FOUND.
        """
        ...

    async def load(self, account: str, rules: Rules) -> State:
        """Return the account's state as far as it was kept and replayed, without its lock.

        Raises:
            UnreadableEntryError: It cannot be replayed.
        """
        ...

    async def open_account(self, account: str) -> None:
        """Create an account; nothing when it exists."""
        ...

    async def accounts(self) -> Sequence[str]:
        """List all accounts by name."""
        ...

    async def account_of(self, reservation: UUID) -> str | None:
        """Return the account that a reservation belongs to; None when it does not exist."""
        ...

    async def newest(self, account: str) -> int:
        """Return the sequence of the newest entry, whether or not it can be read; 0 for none."""
        ...

    async def page(self, account: str, after: int, limit: int) -> Sequence[Entry]:
        """Return entries after a sequence, in order."""
        ...

    async def tell(self, ids: Sequence[UUID]) -> Sequence[Reservation]:
        """Tell reservations by id, in the order asked for; unknown ones are left out."""
        ...

    async def search(self, query: "EntryQuery") -> Sequence[Entry]:
        """Return the entries that match, in order of sequence."""
        ...

    async def find(self, query: "ReservationQuery") -> Sequence[tuple[int, UUID]]:
        """Return reservations that match, newest first, with the sequence that ranks them."""
        ...

    async def usage(self, query: "UsageQuery", *, seconds: float) -> "Usage":
        """Sum what was spent, within so many seconds.

        Raises:
            Refusal: USAGE_TOO_LARGE.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuery:
    """Which entries are asked for; an unset filter lets everything pass."""

    account: str
    after: int
    limit: int
    kind: str = ""
    reservation: UUID | None = None
    job: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationQuery:
    """Which reservations are asked for.

    Attributes:
        before: Only those ranked below this sequence.
        stage: Ranks by the entry that brought this stage; a later one may have changed it.
        among: No others than these; None: any.
    """

    account: str
    before: int
    limit: int
    stage: Stage | None = None
    parent: UUID | None = None
    job: UUID | None = None
    among: Collection[UUID] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """What to sum: ``dimensions`` of caller, action, endpoint, job, day; UTC instants."""

    account: str
    dimensions: Sequence[str]
    since: datetime | None
    until: datetime | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSum:
    """One sum; ``keys`` holds the dimensions asked for."""

    keys: Mapping[str, str]
    tokens: int
    calls: int
    unsettled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Sums, largest first, and the total over all, those beyond the limit included."""

    rows: Sequence[UsageSum]
    total: int
