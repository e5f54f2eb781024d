"""What the use cases need from the outside, in the domain's words; promises stand here."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from services.discovery.domain.answers import Appraisal, Fetched, Listing
from services.discovery.domain.criteria import Filter
from services.discovery.domain.errand import Errand
from services.discovery.domain.health import CacheHealth, Purged
from services.discovery.domain.kept import BlockedProduct, Favorite, SavedNiche
from services.discovery.domain.looking import Depth
from services.discovery.domain.past import Search, SearchKind
from services.discovery.domain.scoring.config import Config
from services.discovery.domain.scoring.verdict import Recommendation
from services.discovery.domain.steps import Step, StepAnswer, Task

T = TypeVar("T")
Place = tuple[str, str] | None
"""Where a page of a list ended: what it is ordered by, and what tells its equals apart."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list.

    Attributes:
        next_place: Where the next page begins; None on the last.
        unreadable: Names of what stands on this page and cannot be read.
    """

    items: tuple[T, ...]
    next_place: Place
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """The most a call can cost, and how many of its products are stored and cost nothing."""

    most: int
    stored: int = 0


class Gateway(Protocol):
    """The way to Keepa's data. Refusals, budget's among them, pass through as they are."""

    async def find(
        self, request_id: UUID, wanted: Filter, errand: Errand, *, max_age: timedelta
    ) -> Listing:
        """Ask the Product Finder, best sales rank first.

        The same id with the same question is paid once, however often it is asked.
        """
        ...

    def products(
        self,
        request_id: UUID,
        domain: int,
        asins: Sequence[str],
        errand: Errand,
        *,
        max_age: timedelta,
        stored_only: bool = False,
        fresh_only: bool = False,
        depth: Depth = Depth.PLAIN,
    ) -> AsyncGenerator[Fetched]:
        """Fetch at most 100 products, each answered once, as they become known.

        With ``fresh_only`` nothing older than ``max_age`` is given, whatever is refused.

        The same id with the same products is paid once. Raises a refusal only when not one
        product could be answered, or when the way to the gateway fails half-way.
        """
        ...

    async def product_cost(self, domain: int, asins: Sequence[str], *, max_age: timedelta) -> Cost:
        """Say what at most 100 products would cost; spends nothing."""
        ...

    async def list_cost(self, wanted: Filter, *, max_age: timedelta) -> Cost:
        """Say what ``find`` would cost, and whether the list is stored; spends nothing."""
        ...


class Envelopes(Protocol):
    """Tokens held once for a search of several calls."""

    async def hold(
        self, request_id: UUID, tokens: int, errand: Errand, *, duration: timedelta
    ) -> str:
        """Hold tokens and return the envelope's name.

        Raises:
            Refusal: Budget's; nothing is held then.
        """
        ...

    async def extend(self, envelope: str, *, duration: timedelta) -> None:
        """Hold an envelope for ``duration`` from now; one that has ended stays as it is.

        Raises:
            Refusal: Budget's.
        """
        ...

    async def left(self, envelope: str) -> int:
        """Read how many tokens may still be drawn from an envelope.

        Raises:
            Refusal: Budget's.
        """
        ...

    async def release(self, request_id: UUID, envelope: str) -> None:
        """Give back what is left of an envelope; one that has ended stays as it is."""
        ...


class Requests(Protocol):
    """The ids of requests that may spend, bound to what they asked."""

    async def bind(self, request_id: UUID, fingerprint: str) -> int:
        """Bind an id to its content, and count how often it came: 1 at first.

        Raises:
            Refusal: REQUEST_ID_REUSED, when it came with other content before.
        """
        ...


class Lists(Protocol):
    """Lists of ASINs by the key of their filter, kept whole, given without blocked products."""

    async def read(self, key: str) -> Listing | None:
        """Read a list that has not expired and count the hit; it comes back ``cached``."""
        ...

    async def peek(self, key: str) -> Listing | None:
        """Read a list that has not expired without counting."""
        ...

    async def last(self, key: str) -> Listing | None:
        """Read a list of any age and count the hit; one that has expired comes back ``stale``."""
        ...

    async def write(self, wanted: Filter, listing: Listing) -> Listing:
        """Keep a list for 24 h in place of the one before, and give it as it is answered."""
        ...


class Scores(Protocol):
    """Scores: kept by id, and by key for as long as they are fresh."""

    async def fresh(self, keys: Mapping[str, str]) -> dict[str, Appraisal]:
        """Read scores that have not expired, by ASIN, and count the hits.

        Args:
            keys: The key of each ASIN.
        """
        ...

    async def last(self, keys: Mapping[str, str]) -> dict[str, Appraisal]:
        """Read scores of any age, by ASIN, and count the hits; expired ones come back STALE."""
        ...

    async def before(self, score_id: UUID) -> UUID | None:
        """Name the newest older score of the same product; None without one."""
        ...

    async def newest(
        self, products: Collection[tuple[int, str]]
    ) -> dict[tuple[int, str], Appraisal]:
        """Read the newest score of each product, by domain and ASIN, of those that have one."""
        ...

    async def write(
        self, domain: int, keys: Mapping[str, str], appraisals: Collection[Appraisal]
    ) -> None:
        """Keep scores, for 6 h as the fresh ones of their keys; a stale product's is never."""
        ...

    async def find(self, score_id: UUID) -> Appraisal | None:
        """Read one score, fresh or not."""
        ...

    async def page(self, asin: str, least_rung: int, *, size: int, after: Place) -> Page[Appraisal]:
        """List the newest score of each product and terms, best first."""
        ...

    async def former(self, asin: str, *, size: int, after: Place) -> Page[Appraisal]:
        """List every score of a product that is kept, newest first."""
        ...


class Searches(Protocol):
    """The history of searches."""

    async def add(self, search: Search) -> None:
        """Remember a search for ever; the same one again changes nothing."""
        ...

    async def find(self, search_id: UUID) -> Search | None:
        """Read one search, without what it found."""
        ...

    async def found(
        self, search_id: UUID, *, start: int, size: int
    ) -> list[tuple[str, Appraisal | None]]:
        """Read some of what a search found, best first, with the scores that are still kept."""
        ...

    async def page(
        self, kind: SearchKind | None, job: str, *, size: int, after: Place
    ) -> Page[Search]:
        """List searches, newest first."""
        ...


class Caches(Protocol):
    """The caches as a whole."""

    async def health(self) -> list[CacheHealth]:
        """Say how well each serves."""
        ...

    async def purge(self) -> int:
        """Forget what has expired, and return how many rows that were."""
        ...


class Flights(Protocol):
    """Who is fetching what, over all replicas: one at a time for each key."""

    async def take(self, key: str, holder: UUID, *, duration: timedelta) -> bool:
        """Take or prolong the lease of a key; False while another one's runs."""
        ...

    async def busy(self, key: str) -> bool:
        """Whether somebody's lease of a key runs."""
        ...

    async def drop(self, key: str, holder: UUID) -> None:
        """Give a lease back."""
        ...


class Steps(Protocol):
    """The steps of jobs, each done by one worker at a time."""

    async def claim(self, *, duration: timedelta) -> Step | None:
        """Take the oldest step that nobody works on, under a new epoch; None without one."""
        ...

    async def extend(self, step: Step, *, duration: timedelta) -> bool:
        """Prolong the lease of a step; False when another worker has it now."""
        ...

    async def finish(self, step: Step, answer: StepAnswer) -> bool:
        """Store the answer and announce it, in one transaction.

        Returns:
            False when another worker has the step now, or answered it: nothing is stored then.
        """
        ...

    async def now(self) -> datetime:
        """The database's time, which all replicas share."""
        ...

    async def wait(self, seconds: float) -> None:
        """Sleep until there may be a new step, or for ``seconds`` at the most."""
        ...


class Intake(Protocol):
    """Where a job's requests come in."""

    async def accept(self, task: Task, event_id: UUID, traceparent: str) -> None:
        """Store a step inside the running transaction; one that is known changes nothing."""
        ...


class Drawer(Protocol):
    """What people keep, inside one transaction."""

    async def niche(self, niche_id: UUID) -> SavedNiche | None:
        """Read a saved niche and keep others from changing it."""
        ...

    async def put_niche(self, niche: SavedNiche) -> None:
        """Store a saved niche, in place of the one before."""
        ...

    async def drop_niche(self, niche_id: UUID) -> None:
        """Forget a saved niche."""
        ...

    async def put_favorite(self, favorite: Favorite) -> Favorite:
        """Store a favourite; of one that is there only the notes change."""
        ...

    async def drop_favorite(self, domain: int, asin: str) -> bool:
        """Forget a favourite; False when there is none."""
        ...

    async def put_blocked(self, blocked: BlockedProduct) -> BlockedProduct:
        """Block a product; of one that is blocked only the reason changes."""
        ...

    async def drop_blocked(self, domain: int, asin: str) -> bool:
        """Unblock a product; False when it is not blocked."""
        ...

    async def unsettle(self, asin: str) -> None:
        """Make every score of a product count as outdated; all stay readable by name."""
        ...


class Kept(Protocol):
    """What people keep."""

    async def once(
        self,
        request_id: UUID,
        fingerprint: str,
        kind: type[T],
        act: Callable[[Drawer], Awaitable[T]],
    ) -> T:
        """Make a change and remember its answer, in one transaction.

        The same request again is answered as it was the first time, and nothing is changed.

        Raises:
            Refusal: REQUEST_ID_REUSED, or what ``act`` raises: nothing is stored then.
        """
        ...

    async def recalled(self, request_id: UUID, fingerprint: str, kind: type[T]) -> T | None:
        """Read how a request was answered; None when it was not.

        Raises:
            Refusal: REQUEST_ID_REUSED.
        """
        ...

    def purge(self, cache: str, *, include_fresh: bool) -> AsyncGenerator[Purged, None]:
        """Forget the expired entries of one cache, or all, and tell of each chunk of them.

        Scores stay readable by name. What was told of is gone, whatever becomes of the rest.
        """
        ...

    async def niche(self, niche_id: UUID) -> SavedNiche | None:
        """Read a saved niche."""
        ...

    async def niches(self, *, size: int, after: Place) -> Page[SavedNiche]:
        """List saved niches, newest first."""
        ...

    async def note_score(self, niche_id: UUID, score: float | None, examined_at: datetime) -> None:
        """Remember how good a saved niche is; its etag stays, for nobody changed it."""
        ...

    async def favorites(self, *, size: int, after: Place) -> Page[Favorite]:
        """List favourites, newest first."""
        ...

    async def blocked(self, *, size: int, after: Place) -> Page[BlockedProduct]:
        """List blocked products, newest first."""
        ...


class Blocks(Protocol):
    """The do-not-buy list, as scoring looks at it."""

    async def reasons(self, domain: int, asins: Collection[str]) -> dict[str, str]:
        """Give the reason of each of these products that is blocked; it may be empty."""
        ...


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of the configuration, and the one before.

    Attributes:
        before: None before the first; the revision itself when the one before cannot be read.
    """

    config: Config
    before: Config | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the stored scores stand under the configuration that holds.

    Attributes:
        scores: Of the revision that holds; ``stale`` are of older ones.
        mean_roi: In per cent, of those with a known buying price; None without any.
    """

    scores: int
    stale: int
    recommendations: Mapping[Recommendation, int]
    mean_roi: float | None
    mean_velocity: float | None
    mean_confidence: float | None


class Rulebook(Protocol):
    """The configuration that scores follow, and how it came to be."""

    async def current(self) -> Config:
        """Read the revision that holds."""
        ...

    async def revise(
        self, request_id: UUID, fingerprint: str, act: Callable[[Config], Config]
    ) -> Config:
        """Make a revision of the one that holds, tell of it and remember it, in one transaction.

        ``act`` gives the same revision when nothing changes: then nothing is told. The same
        request again is answered as it was the first time.

        Raises:
            Refusal: REQUEST_ID_REUSED, or what ``act`` raises: nothing is stored then.
        """
        ...

    async def page(self, *, size: int, after: Place) -> Page[Revision]:
        """List the revisions, newest first, the built-in one last.

        One that cannot be read is named by its number.
        """
        ...

    async def standing(self) -> Standing:
        """Say how the stored scores stand."""
        ...
