"""What the gateway needs from the world, in its own words; here its promises are written."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol
from uuid import UUID

from services.keepa_gateway.domain.attempt import Attempt, Charge, Intent, Spending
from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.egress import Egress
from services.keepa_gateway.domain.envelope import Observation
from services.keepa_gateway.domain.facts import Fact
from services.keepa_gateway.domain.hopeless import Purse
from services.keepa_gateway.domain.outcome import Outcome
from services.keepa_gateway.domain.product import KeepaProduct
from services.keepa_gateway.domain.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes that came back whole, whatever they say."""

    status: int
    body: bytes


class Keepa(Protocol):
    """The way out."""

    async def send(self, call: Call, *, within: timedelta | None = None) -> Reply | Outcome:
        """Send a call once, within what is left of its deadline; by default that is all of it.

        Never raises for what the network does: what certainly was not sent is UNSENT, what may
        have been is UNKNOWN. No text in the result holds the key.
        """
        ...


@dataclass(frozen=True, slots=True)
class Hold:
    """Tokens set aside for one call.

    Attributes:
        sequence: The newest ledger entry at the grant.
        covers_until: The last instant at which a call may be out under it, the margin for its
            outcome kept; on our monotonic clock, and never later than it is by budget's.
    """

    name: str
    sequence: int
    covers_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHold:
    """A call's reservation that has not ended, as budget lists it."""

    name: str
    request_id: UUID
    created_at: datetime


class Fate(Enum):
    """Where a hold stands in its life."""

    HELD = auto()
    UNKNOWN = auto()  # It expired without an outcome, and waits for a balance to settle it.
    ENDED = auto()


class Budget(Protocol):
    """The ledger of tokens. Its refusals pass through with their numbers."""

    async def reserve(
        self, hold_id: UUID, *, tokens: int, call: Call, spending: Spending, wait: timedelta
    ) -> Hold | None:
        """Set tokens aside, waiting in budget's queue for as long as ``wait``.

        Nothing when the id's reservation has ended already: that id will never hold again. Asked
        again under the same id it tells anew how long the hold lasts, and changes nothing.

        Raises:
            Refusal: Budget's own, or BUDGET_UNAVAILABLE; nothing is spent then.
        """
        ...

    async def commit(self, charge: Charge) -> None:
        """Book what an attempt consumed, with the balance its answer stated."""
        ...

    async def release(self, reservation: str) -> None:
        """Give back what certainly was not spent, also when an estimate was settled for it."""
        ...

    async def report(self, observation: Observation, *, after_sequence: int) -> None:
        """State a balance that came without a reserved call."""
        ...

    async def sequence(self) -> int:
        """The newest ledger entry; 0 before the first."""
        ...

    async def in_doubt(self) -> bool:
        """Whether the balance is unknown or too old to grant anything."""
        ...

    async def available(self) -> int:
        """Tokens that a reservation could use before any floor."""
        ...

    async def capacity(self, wanted: int) -> int | None:
        """The most the bucket can hold; nothing before the first balance.

        What is remembered of it will do, but for less than is ``wanted`` it is asked for anew.
        """
        ...

    async def purse(self, envelope: str) -> Purse:
        """The envelope that a call is to draw on.

        Raises:
            Refusal: RESERVATION_NOT_FOUND, or BUDGET_UNAVAILABLE.
        """
        ...

    async def fate(self, reservation: str) -> Fate:
        """Where a hold stands."""
        ...

    async def open_holds(self) -> Sequence[OpenHold]:
        """Calls' reservations that are held or of unknown outcome."""
        ...


@dataclass(frozen=True, slots=True)
class Sought:
    """Products that the store could not give.

    Attributes:
        asins: Empty when codes are asked for: one may be that of any product.
        since: How young they would have to be.
    """

    domain: int
    asins: Sequence[str]
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What became of an intent.

    Attributes:
        gained: Subjects that are ours to ask for; the others are out under another attempt.
        foreign: The attempt was there already: its call is another process's, or long over.
        missing: Nothing of what was sought is stored even now, under the claims.
    """

    gained: tuple[str, ...]
    foreign: bool = False
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """One payer's part in the outcome of a call.

    Attributes:
        consumed: The payer's share of what Keepa charged; nothing when that is not known.
        found: The ASINs that answered each of its subjects.
    """

    attempt_id: UUID
    consumed: int | None
    found: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """What an answer brought, to be stored with its outcome.

    Attributes:
        found: The ASINs that answered each subject.
        listing: A packed list, for the calls that answer one.
        came_at: When the answer was here, by the clock that all replicas share.
    """

    snapshots: Sequence[Snapshot] = ()
    found: Mapping[str, tuple[str, ...]] | None = None
    listing: bytes | None = None
    facts: Sequence[Fact] = ()
    came_at: datetime | None = None


class Attempts(Protocol):
    """The record of every paid call, and the claims that keep two from asking the same."""

    async def open(
        self, intents: Sequence[Intent], sought: Sought | None = None
    ) -> dict[UUID, Opened]:
        """Store the intents of one call and claim their keys, all or none, before it leaves.

        Claims that others hold are not gained; an attempt with none gained is fenced. Whether
        what was ``sought`` is missing still may be left open.
        """
        ...

    async def shrink(self, attempt_id: UUID, subjects: Sequence[str], keys: Sequence[str]) -> None:
        """Ask for these subjects only, and give the other claims back, before anything leaves.

        ``keys`` are those of the subjects that stay; with none the attempt is fenced.
        """
        ...

    async def close(
        self, endings: Sequence[Ending], outcome: Outcome, harvest: Harvest
    ) -> dict[UUID, Attempt]:
        """Store a call's outcome with all it brought, and give its claims back, in one transaction.

        An outcome already stored stays, unless it is unknown and this one is not; then budget
        has to be told of the cost, whatever it settled meanwhile. An unknown outcome keeps its
        claims, so that nobody pays again for what may be paid already.
        """
        ...

    async def mark_settled(self, *attempt_ids: UUID) -> None:
        """Note that budget knows the outcomes, and give back any claims."""
        ...

    async def mark_estimated(self, attempt_id: UUID) -> None:
        """Note that budget settled what never told its cost; not when it is known by now."""
        ...

    async def of_request(self, request_id: UUID) -> list[Attempt]:
        """Every attempt of a request, in order."""
        ...

    async def claimed(self, keys: Sequence[str]) -> dict[str, Attempt]:
        """The attempts that hold some of these keys."""
        ...

    async def unsettled(self) -> list[Attempt]:
        """Attempts that ended and that budget may not know of yet, oldest first."""
        ...

    async def give_up_lost(self) -> int:
        """Mark as unknown the attempts whose process died: no outcome long after the deadline."""
        ...

    async def fence(self, attempt_id: UUID, reservation: str) -> bool:
        """Make sure that an attempt without an intent never gets one; false when it has one."""
        ...


class Snapshots(Protocol):
    """Products as they were fetched, by marketplace and ASIN.

    Without the product itself for those who only want to know whether there is one that will do:
    a hundred of them can have 10 MB.
    """

    async def find(
        self, domain: int, asins: Sequence[str], *, with_raw: bool, with_product: bool = True
    ) -> dict[str, list[Snapshot]]:
        """What is stored of some ASINs, newest first, by ASIN."""
        ...

    async def first_look(
        self,
        request_id: UUID,
        domain: int,
        asins: Sequence[str],
        *,
        not_before: datetime,
        with_raw: bool,
    ) -> dict[str, list[Snapshot]] | None:
        """What is stored of some ASINs and young enough, by ASIN, in one round trip.

        Nothing when the request was asked before: then what it was answered comes first.
        """
        ...

    async def find_by_code(
        self, domain: int, codes: Sequence[str], *, with_raw: bool, with_product: bool = True
    ) -> dict[str, list[Snapshot]]:
        """What is stored of some codes, newest first, by code."""
        ...


@dataclass(frozen=True, slots=True)
class Listing:
    """A stored list."""

    payload: bytes
    fetched_at: datetime


class Listings(Protocol):
    """Answers to list requests, by their fingerprint."""

    async def find(self, fingerprint: str, *, not_before: datetime | None) -> Listing | None:
        """The stored answer, when there is one young enough."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Sums since the database was created, and what is out right now."""

    pending: int
    unknown: int
    requests: int
    spent: int
    products: int
    hits: int
    saved: int
    places: int


class Gate(Protocol):
    """The shared state of the way out."""

    async def read(self, *, within: timedelta = timedelta(0)) -> tuple[Egress, datetime]:
        """The state, and the instant by the clock that all replicas share.

        What this process read or stored at most ``within`` ago will do.
        """
        ...

    async def take_place(self, kept_back: int) -> timedelta | None:
        """Take a place of the throttle, or say how long until there is one.

        A way that is closed has none: no time at all means to read why. What is read right after
        is as new as the place.
        """
        ...

    async def give_back_place(self) -> None:
        """Undo a taken place whose call did not leave after all."""
        ...

    async def record(self, outcome: Outcome, *, trial: bool) -> None:
        """Let an answer without an attempt, such as ``/token``, change the state."""
        ...

    async def lift_rejection(self) -> None:
        """An operator says that the key was replaced."""
        ...

    async def hush(self, duration: timedelta) -> None:
        """Make everybody wait a moment; zero ends it."""
        ...

    async def count_hits(self, hits: int, saved: int) -> None:
        """Add to the count of answers from the store and the tokens they saved."""
        ...

    async def counts(self) -> Counts:
        """Everything counted."""
        ...


class Turn(Protocol):
    """Work that one replica at a time does."""

    def take(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Try to take the turn for a piece of work; false while another replica has it.

        It ends with the block, and with the process.
        """
        ...


class Packer(Protocol):
    """Turns a product into the bytes that are stored and sent."""

    def __call__(self, product: KeepaProduct) -> bytes:
        """Pack a product; the bytes are the contract's message."""
        ...
