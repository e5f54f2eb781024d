"""Reading what is stored: scores with their explanation, former searches, the caches."""

from dataclasses import dataclass
from uuid import UUID

from services.chassis.errors import Kind, Refusal
from services.discovery.domain.answers import Appraisal
from services.discovery.domain.health import CacheHealth
from services.discovery.domain.past import SearchKind
from services.discovery.domain.scoring.explain import steps
from services.discovery.ports import Caches, ScorePage, Scores, Searches, SearchPage


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score with the lines in which to redo it."""

    appraisal: Appraisal
    steps: tuple[str, ...]


class Reader:
    """Answers from what is stored, and spends nothing."""

    def __init__(self, scores: Scores, searches: Searches, caches: Caches) -> None:
        self._scores = scores
        self._searches = searches
        self._caches = caches

    async def explain(self, score_id: UUID) -> Explanation:
        """Read one score and write down its calculation.

        Raises:
            Refusal: SCORE_NOT_FOUND.
        """
        found = await self._scores.find(score_id)
        if found is None or found.score is None:
            name = f"scores/{score_id}"
            raise Refusal(
                Kind.NOT_FOUND,
                "SCORE_NOT_FOUND",
                f"There is no score named {name}.",
                resource=("Score", name),
            )
        return Explanation(found, steps(found.score))

    async def scores(
        self, asin: str, least_rung: int, *, size: int, after: tuple[str, str] | None
    ) -> ScorePage:
        """List the newest scores, best first."""
        return await self._scores.page(asin, least_rung, size=size, after=after)

    async def searches(
        self, kind: SearchKind | None, job: str, *, size: int, after: tuple[str, str] | None
    ) -> SearchPage:
        """List former searches, newest first."""
        return await self._searches.page(kind, job, size=size, after=after)

    async def health(self) -> list[CacheHealth]:
        """Say how well the caches serve."""
        return await self._caches.health()
