"""What comes back: lists of ASINs, products, their scores, and how the answer came about."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from services.discovery.domain.product import Kind, ProductFacts
from services.discovery.domain.scoring.score import Score
from services.discovery.domain.scoring.verdict import Recommendation
from services.discovery.domain.stops import Stop

NAMESPACE = UUID("5a1f3f0e-6f0c-4f5e-9a53-1a4b5a0f8d11")


class Status(StrEnum):
    """What became of a product that was asked for."""

    FOUND = "FOUND"
    NOT_FOUND = "NOT_FOUND"
    CACHED = "CACHED"
    STALE = "STALE"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One product as the gateway answered it.

    Attributes:
        facts: None unless the product is known.
        tokens: What it cost us; ``unsettled`` are held until its outcome is known.
        reason: Why it was refused or is unknown.
    """

    asin: str
    status: Status
    facts: ProductFacts | None = None
    image_url: str = ""
    currency_code: str = ""
    tokens: int = 0
    unsettled: int = 0
    fetched_at: datetime | None = None
    reason: str = ""
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """One product as it is answered: scored, or why not.

    Attributes:
        score: None unless the product is known.
        sales_rank: Now; None when there is none.
        offers: Whether its live offers were read.
        offers_failed: Whether they were asked for, and could not be read.
    """

    asin: str
    status: Status
    title: str = ""
    image_url: str = ""
    currency_code: str = ""
    sales_rank: int | None = None
    score: Score | None = None
    tokens: int = 0
    unsettled: int = 0
    fetched_at: datetime | None = None
    offers: bool = False
    offers_failed: bool = False

    @property
    def id(self) -> UUID | None:
        """The score's own id: the same inputs of the same product give the same id."""
        if self.score is None:
            return None
        return uuid5(NAMESPACE, f"{self.asin}:{self.score.inputs_hash}")


def appraisal(fetched: Fetched, score: Score | None) -> Appraisal:
    """Join a product as it was fetched with its score."""
    facts = fetched.facts
    return Appraisal(
        asin=fetched.asin,
        status=fetched.status,
        title="" if facts is None else facts.title,
        image_url=fetched.image_url,
        currency_code=fetched.currency_code,
        sales_rank=None if facts is None else facts.statistics.current.get(Kind.SALES_RANK),
        score=score,
        tokens=fetched.tokens,
        unsettled=fetched.unsettled,
        fetched_at=fetched.fetched_at,
        offers=facts is not None and facts.offers is not None,
        offers_failed=facts is not None and facts.offers_failed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list of ASINs, best sales rank first.

    Attributes:
        blocked: On the do-not-buy list, and so none of ``asins``.
        total: How many match in all at Keepa.
        cached: It was stored here, so nobody was asked; ``stale``: and has expired.
    """

    asins: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    total: int = 0
    found_at: datetime | None = None
    tokens: int = 0
    cached: bool = False
    stale: bool = False


def sifted(listing: Listing, blocked: Collection[str]) -> Listing:
    """Leave the products out that must not be bought, and say which ones they were."""
    kept = tuple(asin for asin in listing.asins if asin not in blocked)
    gone = tuple(asin for asin in listing.asins if asin in blocked)
    return replace(listing, asins=kept, blocked=gone)


@dataclass(kw_only=True)
class Tally:
    """How an answer comes about, added up as it does.

    Attributes:
        stored: Answers given from a cache here.
        asked: Answers in all.
        lists: Asked of the cache of lists, ``scores`` of that of scores.
        found: The answers by ASIN, with the place and the name of those that were scored.
        rois: By ASIN, of products with a real buying price.
        stale: Some had expired; ``refreshing``: they are being fetched anew.
    """

    tokens: int = 0
    unsettled: int = 0
    stored: int = 0
    asked: int = 0
    lists: int = 0
    lists_stored: int = 0
    scores: int = 0
    scores_stored: int = 0
    oldest: datetime | None = None
    stop: Stop | None = None
    rois: dict[str, float] = field(default_factory=dict)
    found: dict[str, tuple[str, UUID] | None] = field(default_factory=dict)
    stale: bool = False
    refreshing: bool = False

    @property
    def cache_hit(self) -> bool:
        """Whether nothing but stored answers was needed."""
        return self.asked > 0 and self.stored == self.asked and not self.tokens

    def add_listing(self, listing: Listing) -> None:
        """Count a list as one answer."""
        self.tokens += listing.tokens
        self.asked += 1
        self.stored += listing.cached
        self.lists += 1
        self.lists_stored += listing.cached
        self.stale = self.stale or listing.stale
        self._date(listing.found_at)
        self.found.update(dict.fromkeys(listing.asins))

    def add(self, appraisals: Iterable[Appraisal], *, stored: bool) -> None:
        """Count products that were to be scored, each as one answer."""
        for one in appraisals:
            self.scores += 1
            self.scores_stored += stored
            self.look(one, stored=stored)

    def look(self, one: Appraisal, *, stored: bool) -> None:
        """Count one product as one answer."""
        self.tokens += one.tokens
        self.unsettled += one.unsettled
        self.asked += 1
        self.stored += stored
        self.stale = self.stale or one.status is Status.STALE
        self._date(one.fetched_at)
        self._find(one)

    def add_again(self, appraisals: Iterable[Appraisal]) -> None:
        """Count what products cost that were answered before and are looked at again."""
        for one in appraisals:
            self.tokens += one.tokens
            self.unsettled += one.unsettled
            if one.id is not None:
                self._find(one)

    def join(self, other: "Tally") -> None:
        """Add another search up, which stops this one when it was stopped."""
        self.tokens += other.tokens
        self.unsettled += other.unsettled
        self.stored += other.stored
        self.asked += other.asked
        self.lists += other.lists
        self.lists_stored += other.lists_stored
        self.scores += other.scores
        self.scores_stored += other.scores_stored
        self.stop = self.stop or other.stop
        self.stale = self.stale or other.stale
        self.refreshing = self.refreshing or other.refreshing
        self.rois.update(other.rois)
        self._date(other.oldest)

    @property
    def mean_roi(self) -> float | None:
        """The mean ROI in per cent of the products with a real buying price."""
        return sum(self.rois.values()) / len(self.rois) if self.rois else None

    @property
    def results(self) -> tuple[tuple[str, UUID | None], ...]:
        """Every product, the scored ones first and best first, with the id of its score."""
        placed = sorted((scored[0], asin) for asin, scored in self.found.items() if scored)
        ids = {asin: scored[1] for asin, scored in self.found.items() if scored}
        bare = [asin for asin, scored in self.found.items() if scored is None]
        return tuple((asin, ids.get(asin)) for asin in (*(asin for _, asin in placed), *bare))

    def _find(self, one: Appraisal) -> None:
        self.found[one.asin] = None if one.id is None else (place(one), one.id)
        self.rois.pop(one.asin, None)
        if one.score is not None and one.score.known_roi is not None:
            self.rois[one.asin] = one.score.known_roi

    def _date(self, instant: datetime | None) -> None:
        if instant is not None:
            self.oldest = instant if self.oldest is None else min(self.oldest, instant)


_UNSCORED = {
    Status.NOT_FOUND: "Keepa does not know this product.",
    Status.REFUSED: "Not stored, and it was not fetched.",
    Status.UNKNOWN: "The answer was lost on its way; its cost is being settled.",
}

_LADDER = (
    Recommendation.SKIP,
    Recommendation.CONSIDER,
    Recommendation.BUY,
    Recommendation.STRONG_BUY,
)


def rung(recommendation: Recommendation) -> int:
    """Number the recommendations, the better the higher, from 1."""
    return _LADDER.index(recommendation) + 1


def recommendation_on(number: int) -> Recommendation:
    """Name the recommendation of a rung."""
    return _LADDER[number - 1]


def unscored(status: Status) -> str:
    """Say why a product has no score."""
    return _UNSCORED.get(status, "It could not be scored.")


def best_first(appraisals: Iterable[Appraisal]) -> list[Appraisal]:
    """Order products for a list: scored ones by their score, the others after them."""
    return sorted(appraisals, key=place)


def place(one: Appraisal) -> str:
    """Write a product's place in lists as text: sorted as text, the best comes first."""
    if one.score is None:
        return f"9{one.asin}"
    skipped, assumed, composite, profit, asin = one.score.order
    return f"{skipped:d}{assumed:d}{100 + composite:010.5f}{10**9 + profit:010d}{asin}"
