"""Former searches, kept for ever."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.discovery.domain.answers import Tally
from services.discovery.domain.criteria import Filter
from services.discovery.domain.stops import StopReason


class SearchKind(StrEnum):
    """What kind of search it was."""

    DISCOVERY = "DISCOVERY"
    SCORING = "SCORING"
    AUTOSOURCING = "AUTOSOURCING"


class SearchSource(StrEnum):
    """Who started it."""

    FRONTEND = "FRONTEND"
    API = "API"
    MANUAL = "MANUAL"
    JOB = "JOB"


def source_of(caller: str) -> SearchSource:
    """Tell from the caller's name who searches: the console, the command line, or a program."""
    if caller in {"console", "edge"}:
        return SearchSource.FRONTEND
    return SearchSource.MANUAL if caller in {"avault", "cli"} else SearchSource.API


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search as it ended.

    Attributes:
        filter: None when products were given.
        stored: Of ``results``, how many came from a cache.
        lists: Asked of the cache of lists, ``scores`` of that of scores.
        found: The products, best first, with the id of the score of those that have one.
    """

    id: UUID
    kind: SearchKind
    source: SearchSource
    caller: str
    filter: Filter | None
    results: int
    stored: int
    tokens: int
    cache_hit: bool
    seconds: float
    mean_roi: float | None
    job: str
    stop: StopReason | None
    created_at: datetime
    found: tuple[tuple[str, UUID | None], ...] = ()
    lists: int = 0
    lists_stored: int = 0
    scores: int = 0
    scores_stored: int = 0


def ended_search(
    tally: Tally, seconds: float, *, search_id: UUID, caller: str, job: str, now: datetime
) -> Search:
    """Begin the record of a search from how it ended."""
    return Search(
        id=search_id,
        kind=SearchKind.AUTOSOURCING,
        source=SearchSource.JOB,
        caller=caller,
        filter=None,
        results=tally.asked,
        stored=tally.stored,
        tokens=tally.tokens,
        cache_hit=tally.cache_hit,
        seconds=seconds,
        mean_roi=tally.mean_roi,
        job=job,
        stop=None if tally.stop is None else tally.stop.reason,
        created_at=now,
        found=tally.results,
        lists=tally.lists,
        lists_stored=tally.lists_stored,
        scores=tally.scores,
        scores_stored=tally.scores_stored,
    )
