"""What the use cases need from the outside, in the domain's words; promises stand here."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from services.autosourcing.domain.course import Change
from services.autosourcing.domain.estimate import Estimate, Outlook
from services.autosourcing.domain.job import Job, State
from services.autosourcing.domain.picks import Action, Analysis, Kind, Pick
from services.autosourcing.domain.review import Sighting
from services.autosourcing.domain.schedule import DecidedSlot, Decision, Schedule
from services.autosourcing.domain.spec import Profile, Spec

T = TypeVar("T")
P = TypeVar("P")


@dataclass(frozen=True)
class Page(Generic[T, P]):
    """One page of a list.

    Attributes:
        next_place: The last row of the page, when more rows follow; else None.
        unreadable: Names of what stands on this page and cannot be read.
    """

    items: tuple[T, ...]
    next_place: P | None
    unreadable: tuple[str, ...] = ()


NewestPlace = tuple[datetime, UUID]
"""Where a page ended that lists the newest first: when its last one was made, and its id."""


@dataclass(frozen=True)
class Request:
    """A call that changes something, as it is remembered.

    Attributes:
        id: The caller's, kept across retries.
        fingerprint: Of method and content: the same id with another one is refused.
    """

    id: UUID
    fingerprint: bytes


@dataclass(frozen=True)
class SavedPick:
    """A pick with what the reseller decided about it."""

    pick: Pick
    action: Action
    notes: str
    created_at: datetime
    updated_at: datetime | None = None
    revision: int = 1


@dataclass(frozen=True)
class Moment:
    """One recorded change of a job: the job after it, and what it found."""

    job: Job
    changed_at: datetime
    picks: tuple[SavedPick, ...] = ()
    products: tuple[Analysis, ...] = ()


@dataclass(frozen=True)
class Stats:
    """Sums over the jobs of a time."""

    states: dict[State, int]
    tokens: int
    analyzed: int
    picks: int
    buys: int
    mean_duration: timedelta | None

    @property
    def jobs(self) -> int:
        """How many jobs there were."""
        return sum(self.states.values())


@dataclass(frozen=True)
class PickFilter:
    """Which picks are listed; None does not restrict."""

    job_id: UUID | None = None
    action: Action | None = None


@dataclass(frozen=True)
class PickPlace:
    """Where a page of picks ended, in listing order."""

    kind: Kind
    sort_score: str
    profit_cents: int
    asin: str
    id: UUID


@dataclass(frozen=True)
class Grant:
    """An envelope as budget answered it.

    Attributes:
        open: Whether calls may draw on it.
        expires_at: When it ends if nobody releases it.
    """

    name: str
    open: bool
    expires_at: datetime


@dataclass(frozen=True)
class Cost:
    """What an envelope has paid for: settled, and not settled yet."""

    spent: int
    unsettled: int


@dataclass(frozen=True)
class Abandoned:
    """An envelope that nobody uses: its job was refused, and budget may have granted it."""

    job_id: UUID
    attempt: int
    since: datetime


class Work(Protocol):
    """One transaction on the jobs: all of it is stored, or nothing."""

    async def now(self) -> datetime:
        """The database's time, which all replicas share."""
        ...

    async def request(self, request_id: UUID) -> tuple[Request, bytes] | None:
        """A remembered request and its answer; None when it is new."""
        ...

    async def remember(self, request: Request, answer: bytes) -> bool:
        """Bind a request to its answer; False when the id is bound already."""
        ...

    async def add(self, job: Job, request_id: UUID, *, attend_at: datetime | None) -> Job:
        """Store a new job, which is looked after from ``attend_at`` on.

        Returns:
            The job as stored: its sequence is 1.
        """
        ...

    async def lock(self, job_id: UUID) -> Job | None:
        """Read a job that nobody else changes until the transaction ends; None without one."""
        ...

    async def save(self, change: Change, *, attend_at: datetime | None) -> Job:
        """Store a change with its picks, its products and all it announces.

        Returns:
            The job as stored: its sequence is one higher.
        """
        ...

    async def update(self, job: Job) -> None:
        """Store a job of which nothing changed that a watcher is told."""
        ...

    async def attend(self, job_id: UUID, at: datetime | None) -> None:
        """Set when the job is next looked after; the job itself does not change."""
        ...

    async def withdraw(self, job_id: UUID) -> None:
        """Forget a pending job and the request that made it, as if it had never come."""
        ...

    async def abandon(self, job_id: UUID, attempt: int) -> None:
        """Remember an envelope that a forgotten job may hold, so that it is given back."""
        ...

    async def abandoned(self, job_id: UUID) -> int:
        """The highest attempt of a job whose envelope is being given back; 0 without one."""
        ...

    async def claim_abandoned(self, *, lease: timedelta, most: int) -> list[Abandoned]:
        """Take envelopes to be given back; no other replica gets them for a while."""
        ...

    async def settle_abandoned(self, envelope: Abandoned) -> None:
        """Forget an envelope that is given back."""
        ...

    async def claim(self, *, lease: timedelta, most: int, pending: bool) -> list[UUID]:
        """Take jobs that are due to be looked after; no other replica gets them for a while.

        ``pending`` takes those that are to be started, else those that have been.
        """
        ...

    async def recent(self, domain: str, asins: Collection[str], since: datetime) -> frozenset[str]:
        """Those of the ASINs that any job analysed since then."""
        ...

    async def profile(self, profile_id: str) -> Profile | None:
        """A saved profile; None without one."""
        ...

    async def lock_profile(self, profile_id: str) -> Profile | None:
        """Read a profile that nobody else changes until the transaction ends."""
        ...

    async def add_profile(self, profile: Profile) -> bool:
        """Store a new profile; False when its id is taken."""
        ...

    async def save_profile(self, profile: Profile) -> None:
        """Store a profile that is there."""
        ...

    async def remove_profile(self, profile_id: str) -> None:
        """Delete a profile."""
        ...

    async def lock_pick(self, pick_id: UUID) -> SavedPick | None:
        """Read a pick that nobody else changes until the transaction ends."""
        ...

    async def save_pick(self, pick: SavedPick) -> None:
        """Store what the reseller decided."""
        ...


class RotaWork(Work, Protocol):
    """One transaction on the schedules, their slots, and whatever a job may change."""

    async def add_schedule(self, schedule: Schedule) -> None:
        """Store a new schedule."""
        ...

    async def lock_schedule(self, schedule_id: UUID) -> Schedule | None:
        """Read a schedule that nobody else changes until the transaction ends."""
        ...

    async def save_schedule(self, schedule: Schedule) -> None:
        """Store a schedule that is there; it is looked at again when its next slot comes."""
        ...

    async def remove_schedule(self, schedule_id: UUID) -> None:
        """Delete a schedule with its slots."""
        ...

    async def due_schedule(self) -> Schedule | None:
        """Lock a schedule with a slot that has come, and that no other replica has locked."""
        ...

    async def schedule_of(self, profile_id: str) -> UUID | None:
        """Some schedule that names the profile; None when no one does."""
        ...

    async def add_slots(
        self, schedule_id: UUID, decisions: Iterable[Decision], now: datetime
    ) -> None:
        """Remember slots; one that is remembered already stays as it is."""
        ...

    async def claim_slots(self, *, lease: timedelta, most: int) -> list[DecidedSlot]:
        """Take slots whose job is to be started; no other replica gets them for a while."""
        ...

    async def postpone_slot(self, slot: DecidedSlot, at: datetime) -> None:
        """Let a slot that could not start be claimed again at an instant."""
        ...

    async def settle_slot(self, slot: DecidedSlot) -> None:
        """Store what finally became of a slot, unless it has been settled."""
        ...


class Rota(Protocol):
    """Where schedules are kept."""

    def transaction(self) -> AbstractAsyncContextManager[RotaWork]:
        """Begin a transaction: stored at its end, undone when the block raises."""
        ...

    async def schedule(
        self, schedule_id: UUID, slots: int
    ) -> tuple[Schedule, list[DecidedSlot]] | None:
        """A schedule with so many of its newest slots that are settled; None without one."""
        ...

    async def schedules(self, after: NewestPlace | None, size: int) -> Page[Schedule, NewestPlace]:
        """Schedules, newest first."""
        ...

    async def next_due(self) -> timedelta | None:
        """How long until a slot comes or is to be tried again; None when none ever is."""
        ...


@dataclass(frozen=True)
class Kept:
    """How long what is passed is kept.

    Attributes:
        requests: That made no job; one that made a job is kept as long as the job.
        slots: That are decided.
        moments: Of jobs; the last one of each stays.
        sightings: When a product was analysed last.
    """

    requests: timedelta
    slots: timedelta
    moments: timedelta
    sightings: timedelta


class Past(Protocol):
    """What is passed."""

    async def forget(self, kept: Kept) -> int:
        """Delete what is older than it is to be kept, and say how many rows that were."""
        ...


class Jobs(Protocol):
    """Where jobs are kept."""

    def transaction(self) -> AbstractAsyncContextManager[Work]:
        """Begin a transaction: stored at its end, undone when the block raises."""
        ...

    async def next_attention(self) -> timedelta | None:
        """How long until a job is due to be looked after; None when none is."""
        ...


class Library(Protocol):
    """Reads what is stored; each answer is one consistent picture."""

    async def job(self, job_id: UUID) -> tuple[Job, list[Analysis]] | None:
        """A job with its products; None without one."""
        ...

    async def jobs(
        self, state: State | None, after: NewestPlace | None, size: int
    ) -> Page[Job, NewestPlace]:
        """Jobs, newest first."""
        ...

    async def snapshot(self, job_id: UUID, at: int | None) -> Moment | None:
        """A job as of change ``at``, else the newest, with all picks and products so far."""
        ...

    async def moments(self, job_id: UUID, after: int, most: int) -> list[Moment]:
        """The changes of a job after ``after``, in order."""
        ...

    async def picks(
        self, which: PickFilter, after: PickPlace | None, size: int
    ) -> Page[SavedPick, PickPlace]:
        """Picks in listing order: priced before targets, best first."""
        ...

    async def profiles(self, after: str, size: int) -> Page[Profile, str]:
        """Profiles by id."""
        ...

    async def stats(self, since: datetime | None, until: datetime | None) -> Stats:
        """Sums over the jobs made in a time; absent bounds are 30 days ago and now."""
        ...


class Reviews(Protocol):
    """Reads picks together with when their products were found before."""

    async def sightings(
        self, start: datetime, end: datetime
    ) -> tuple[Sequence[Sighting], tuple[str, ...]]:
        """Every pick found from ``start`` until before ``end``, without its score.

        Returns:
            The picks, and the names of those that cannot be read.
        """
        ...

    async def saved(self, picks: Collection[UUID]) -> dict[UUID, SavedPick]:
        """Picks with their scores, by id."""
        ...


class Changes(Protocol):
    """Tells waiting readers that some job changed; a hint, so every wait is bounded."""

    def heard(self) -> AbstractAsyncContextManager["Ear"]:
        """Listen from now on."""
        ...


class Ear(Protocol):
    """One listener."""

    async def wait(self, seconds: float) -> None:
        """Sleep until something changed since the last wait, or for ``seconds`` at most."""
        ...


class Budget(Protocol):
    """Rations the tokens. Every method may refuse with budget's own reasons."""

    async def reserve(
        self, job: Job, *, tokens: int, gate: int, hold: timedelta, wait: timedelta
    ) -> Grant:
        """Hold the job's estimate as its envelope; the same attempt gets the same envelope.

        Raises:
            Refusal: The tokens are not there, or budget does not answer. Only in the
                second case may an envelope have been made; it is found again by asking again.
        """
        ...

    async def release(self, job_id: UUID, envelope: str) -> Cost:
        """End an envelope of the job: nothing more is drawn on it. Safe to repeat."""
        ...

    async def cost(self, name: str) -> Cost:
        """What an envelope has paid for so far."""
        ...

    async def outlook(self, *, tokens: int, gate: int) -> Outlook:
        """Whether tokens could be had now, and when if not."""
        ...


class Discovery(Protocol):
    """Knows what is stored already, and so what a job would cost."""

    async def estimate_search(self, spec: Spec, wanted: int) -> Estimate:
        """The most that a search for ``wanted`` ASINs and the job's products can cost."""
        ...

    async def estimate_products(self, spec: Spec, asins: Sequence[str]) -> Estimate:
        """The most that given products can cost."""
        ...
