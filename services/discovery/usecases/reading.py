"""Reading what is stored: scores with their explanation, former searches, the caches."""

from dataclasses import dataclass, replace
from uuid import UUID

from services.discovery.domain.answers import Appraisal
from services.discovery.domain.health import CacheHealth
from services.discovery.domain.kept import not_found
from services.discovery.domain.past import Search, SearchKind
from services.discovery.domain.scoring.explain import Look, steps
from services.discovery.domain.scoring.lines import Difference, Line, differences, lines
from services.discovery.domain.scoring.score import Score
from services.discovery.ports import Caches, Page, Place, Scores, Searches


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score with the lines in which to redo it.

    Attributes:
        other: The score it is compared with; ``differences`` say why they are not the same.
    """

    appraisal: Appraisal
    steps: tuple[str, ...]
    lines: tuple[Line, ...]
    other: Appraisal | None = None
    differences: tuple[Difference, ...] = ()


class Reader:
    """Answers from what is stored, and spends nothing."""

    def __init__(self, scores: Scores, searches: Searches, caches: Caches) -> None:
        self._scores = scores
        self._searches = searches
        self._caches = caches

    async def explain(
        self, score_id: UUID, *, other_id: UUID | None = None, before: bool = False
    ) -> Explanation:
        """Read one score and write down its calculation.

        Args:
            score_id: The score.
            other_id: The score it is compared with.
            before: Compare with the newest older one of the same product, if there is one.

        Raises:
            Refusal: SCORE_NOT_FOUND.
        """
        one, score = await self._scored(score_id)
        look = Look(offers=one.offers, failed=one.offers_failed, fetched_at=one.fetched_at)
        told = Explanation(one, steps(score, look), lines(score))
        if before:
            other_id = await self._scores.before(score_id)
        if other_id is None:
            return told
        other, older = await self._scored(other_id)
        return replace(told, other=other, differences=differences(lines(older), told.lines))

    async def _scored(self, score_id: UUID) -> tuple[Appraisal, Score]:
        found = await self._scores.find(score_id)
        if found is None or found.score is None:
            raise not_found("SCORE", "Score", f"scores/{score_id}")
        return found, found.score

    async def scores(
        self, asin: str, least_rung: int, *, size: int, after: Place
    ) -> Page[Appraisal]:
        """List the newest scores, best first."""
        return await self._scores.page(asin, least_rung, size=size, after=after)

    async def former_scores(self, asin: str, *, size: int, after: Place) -> Page[Appraisal]:
        """List how a product was scored over time, newest first."""
        return await self._scores.former(asin, size=size, after=after)

    async def searches(
        self, kind: SearchKind | None, job: str, *, size: int, after: Place
    ) -> Page[Search]:
        """List former searches, newest first."""
        return await self._searches.page(kind, job, size=size, after=after)

    async def health(self) -> list[CacheHealth]:
        """Say how well the caches serve."""
        return await self._caches.health()
