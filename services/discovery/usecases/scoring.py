"""Scoring products: fresh scores for nothing, the others as their products come in."""

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.discovery.domain.answers import Appraisal, Fetched, Status, appraisal
from services.discovery.domain.criteria import Options, digest
from services.discovery.domain.errand import Errand
from services.discovery.domain.looking import CLOSE_BATCH, CLOSE_TOKENS, Depth
from services.discovery.domain.scoring.config import Config
from services.discovery.domain.scoring.score import Score, score
from services.discovery.ports import Blocks, Flights, Gateway, Rulebook, Scores
from services.discovery.usecases.finding import NOTHING_STORED, STORED
from services.discovery.usecases.flight import turn

BATCH = 100
CHUNK = 20
"""Scores are stored and told in chunks of this many."""

_REFUSED = frozenset({Status.REFUSED, Status.STALE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal:
    """Which products are to be scored, how, and on whose tokens.

    Attributes:
        as_of: The instant that ages and seasons are measured against.
        call_id: Names the paid call for some products; the same ones are never paid twice.
    """

    domain: int
    asins: Sequence[str]
    options: Options
    errand: Errand
    as_of: datetime
    call_id: Callable[[object], UUID]
    force_refresh: bool = False
    cache_only: bool = False
    depth: Depth = Depth.PLAIN

    def keys(self, asins: Iterable[str], blocked: Mapping[str, str]) -> dict[str, str]:
        """Give the key under which each product's score is kept."""
        return {asin: self.options.key(self.domain, asin, blocked.get(asin)) for asin in asins}

    @property
    def max_age(self) -> timedelta:
        """How old a stored product may be."""
        return NOTHING_STORED if self.force_refresh else STORED


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some answers, and whether they were stored here."""

    appraisals: tuple[Appraisal, ...]
    stored: bool
    reason: str = ""
    retry_after: timedelta | None = None


class Appraiser:
    """Answers ASINs with scores."""

    def __init__(
        self,
        scores: Scores,
        blocks: Blocks,
        flights: Flights,
        gateway: Gateway,
        *,
        rulebook: Rulebook,
    ) -> None:
        self._rulebook = rulebook
        self._scores = scores
        self._blocks = blocks
        self._flights = flights
        self._gateway = gateway

    async def appraise(self, appeal: Appeal) -> AsyncGenerator[Chunk]:
        """Score products, stored ones first, the others as they become known.

        A product that was refused ends the work after its batch: whatever refused it would
        refuse the next ones as well.

        Raises:
            Refusal: The way to the products is closed; what came before stands.
        """
        known = {} if appeal.force_refresh else await self._fresh(appeal, appeal.asins)
        if known:
            yield Chunk(tuple(known.values()), stored=True)
        missing = [asin for asin in appeal.asins if asin not in known]
        for batch in _batches(missing):
            refused = False
            async with aclosing(self._batch(appeal, batch)) as chunks:
                async for chunk in chunks:
                    refused = refused or bool(chunk.reason)
                    yield chunk
            if refused and not appeal.cache_only:
                return

    async def again(self, appeal: Appeal, *, left: int) -> AsyncGenerator[Chunk]:
        """Score products again with their live offers, for ``left`` tokens at the most.

        The first ones first, a few in each call, so that what was held too much for one call
        serves the next. Ends where the tokens end.

        Raises:
            Refusal: The way to the products is closed; what came before stands.
        """
        queue = tuple(appeal.asins)
        while queue and left >= CLOSE_TOKENS:
            size = min(CLOSE_BATCH, left // CLOSE_TOKENS)
            batch, queue = queue[:size], queue[size:]
            async with aclosing(self._batch(appeal, batch)) as chunks:
                async for chunk in chunks:
                    left -= sum(one.tokens + one.unsettled for one in chunk.appraisals)
                    yield chunk
                    if chunk.reason:
                        return

    async def _batch(self, appeal: Appeal, batch: tuple[str, ...]) -> AsyncGenerator[Chunk]:
        """Fetch and score one batch; who waited for another's takes what that one stored."""

        async def look() -> dict[str, Appraisal] | None:
            known = {} if appeal.force_refresh else await self._fresh(appeal, batch)
            return known if len(known) == len(batch) else None

        plain = appeal.depth is Depth.PLAIN
        key = digest("fetch" if plain else "look closely", (appeal.domain, sorted(batch)))
        async with turn(self._flights, key, look, appeal.errand) as known:
            if known is not None:
                yield Chunk(tuple(known.values()), stored=True)
                return
            async with aclosing(self._fetch(appeal, batch)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _fetch(self, appeal: Appeal, asins: tuple[str, ...]) -> AsyncGenerator[Chunk]:
        what = "products" if appeal.depth is Depth.PLAIN else appeal.depth
        call_id = appeal.call_id((what, appeal.domain, asins))
        answers = self._gateway.products(
            call_id,
            appeal.domain,
            asins,
            appeal.errand,
            max_age=appeal.max_age,
            stored_only=appeal.cache_only,
            depth=appeal.depth,
        )
        gathered: list[Fetched] = []
        async with aclosing(answers):
            async for fetched in answers:
                gathered.append(fetched)
                if len(gathered) >= CHUNK:
                    yield await self._keep(appeal, gathered)
                    gathered = []
        if gathered:
            yield await self._keep(appeal, gathered)

    async def _keep(self, appeal: Appeal, gathered: list[Fetched]) -> Chunk:
        """Score by the configuration and the blocks that hold now, and keep it, then tell it."""
        config = await self._rulebook.current()
        known = [one.asin for one in gathered if one.facts is not None]
        blocked = await self._blocks.reasons(appeal.domain, known)
        done = [
            appraisal(one, _score(appeal, one, blocked.get(one.asin), config)) for one in gathered
        ]
        scored = [one for one in done if one.score is not None]
        await self._scores.write(appeal.domain, appeal.keys(known, blocked), scored)
        refused = next((one for one in gathered if one.status in _REFUSED and one.reason), None)
        if refused is None:
            return Chunk(tuple(done), stored=False)
        return Chunk(
            tuple(done), stored=False, reason=refused.reason, retry_after=refused.retry_after
        )

    async def _fresh(self, appeal: Appeal, asins: Collection[str]) -> dict[str, Appraisal]:
        blocked = await self._blocks.reasons(appeal.domain, asins)
        known = await self._scores.fresh(appeal.keys(asins, blocked))
        if appeal.depth is Depth.PLAIN:
            return known
        return {asin: one for asin, one in known.items() if one.offers}

    async def last(self, appeal: Appeal) -> dict[str, Appraisal]:
        """Give the scores that are stored, of any age."""
        blocked = await self._blocks.reasons(appeal.domain, appeal.asins)
        return await self._scores.last(appeal.keys(appeal.asins, blocked))


def _score(appeal: Appeal, fetched: Fetched, blocked: str | None, config: Config) -> Score | None:
    if fetched.facts is None:
        return None
    return score(fetched.facts, appeal.options.terms(fetched.asin, blocked, config), appeal.as_of)


def _batches(asins: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(asins[at : at + BATCH]) for at in range(0, len(asins), BATCH)]
