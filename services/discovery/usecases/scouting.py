"""Scouting: niches examined against real products, within one envelope, told one by one."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from uuid import UUID

from services.chassis.clock import Clock
from services.chassis.errors import Refusal
from services.discovery.domain.answers import Tally
from services.discovery.domain.criteria import Options, digest
from services.discovery.domain.errand import Errand
from services.discovery.domain.kept import not_found
from services.discovery.domain.niches import NicheKind, template_named
from services.discovery.domain.scouting import (
    Examined,
    Quarry,
    best_passing,
    drawn,
    of_bookmark,
    of_template,
    seed_from,
)
from services.discovery.domain.stops import stop_for
from services.discovery.ports import Kept, Requests
from services.discovery.usecases.asking import Request
from services.discovery.usecases.estimating import Estimator
from services.discovery.usecases.paying import Payer
from services.discovery.usecases.searching import Ranked, SearchDesk

SURPRISE, NAMED = "surprise_me", "niche_discovery"
_CALLS_OF_ONE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Quest:
    """Which niches are examined; with no names ``count`` templates are drawn.

    Attributes:
        seed: What they are drawn by; 0 leaves it to the request's id.
        scored: Products that are scored in each.
    """

    names: tuple[str, ...] = ()
    count: int = 1
    kind: NicheKind | None = None
    seed: int = 0
    scored: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Scouted:
    """The end of a quest; ``seed`` is what the templates were drawn by, 0 when named."""

    tally: Tally
    seconds: float
    seed: int


class Scout:
    """Examines niches."""

    def __init__(
        self,
        desk: SearchDesk,
        payer: Payer,
        estimator: Estimator,
        *,
        requests: Requests,
        kept: Kept,
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._payer = payer
        self._estimator = estimator
        self._requests = requests
        self._kept = kept
        self._clock = clock

    async def scout(self, request: Request, quest: Quest) -> AsyncGenerator[Examined | Scouted]:
        """Examine niches one after the other; the last thing told is the end.

        What refuses one ends the quest: after a 429 or an empty budget nothing more is spent.

        Raises:
            Refusal: NICHE_NOT_FOUND, or what refused the first niche.
        """
        began, tally = self._clock.monotonic(), Tally()
        seed = 0 if quest.names else quest.seed or seed_from(str(request.id))
        chosen = await self._choose(quest, seed)
        question = (quest, request.force_refresh, request.cache_only)
        attempt = await self._requests.bind(request.id, digest("scout", question))
        wanted = [self._asked(one, quest.scored) for one in chosen]
        action = request.errand.action or (NAMED if quest.names else SURPRISE)
        asked = replace(request, errand=replace(request.errand, action=action))
        most = 0 if request.cache_only else await self._most(request, wanted)
        calls = _CALLS_OF_ONE * len(wanted)
        async with self._payer.envelope(asked, attempt, most, calls=calls) as errand:
            async for one in self._examine(asked, errand, wanted, tally):
                yield one
        yield Scouted(tally=tally, seconds=self._clock.monotonic() - began, seed=seed)

    async def _choose(self, quest: Quest, seed: int) -> list[Quarry]:
        if not quest.names:
            return [of_template(one) for one in drawn(seed, quest.kind, quest.count)]
        return [await self._named(name) for name in quest.names]

    async def _named(self, name: str) -> Quarry:
        kind, _, identity = name.partition("/")
        if kind == "niches":
            template = template_named(name)
            if template is None:
                raise not_found("NICHE", "NicheTemplate", name)
            return of_template(template)
        saved = await self._kept.niche(UUID(identity))
        if saved is None:
            raise not_found("NICHE", "SavedNiche", name)
        return of_bookmark(saved)

    def _asked(self, quarry: Quarry, scored: int) -> Quarry:
        return replace(quarry, filter=replace(quarry.filter, max_results=scored))

    async def _most(self, request: Request, wanted: list[Quarry]) -> int:
        """Add up what they can cost, with everything that is stored subtracted."""
        most = 0
        for one in wanted:
            estimate = await self._estimator.search(
                one.filter, one.filter.max_results, force_refresh=request.force_refresh
            )
            most += estimate.most
        return most

    async def _examine(
        self, request: Request, errand: Errand, wanted: list[Quarry], tally: Tally
    ) -> AsyncGenerator[Examined]:
        missed: Refusal | None = None
        some = False
        for quarry in wanted:
            try:
                ranked = await self._search(request, errand, quarry)
            except Refusal as refusal:
                if refusal.reason == "CACHE_MISS":
                    missed = refusal
                    continue
                if not some:
                    raise
                tally.stop = stop_for(refusal)
                return
            some = True
            tally.join(ranked.tally)
            yield await self._told(quarry, ranked)
            if tally.stop is not None:
                return
        if missed is not None and not some:
            raise missed

    async def _search(self, request: Request, errand: Errand, quarry: Quarry) -> Ranked:
        options = Options(strategy=quarry.strategy, condition=quarry.filter.condition)
        one = replace(request, id=request.call_id(("niche", quarry.filter, options)), errand=errand)
        return await self._desk.discover_scored(one, quarry.filter, options, least_rung=1)

    async def _told(self, quarry: Quarry, ranked: Ranked) -> Examined:
        examined = Examined(
            quarry=quarry,
            total=ranked.total,
            scored=sum(one.score is not None for one in ranked.appraisals),
            passed=best_passing(quarry, ranked.appraisals),
            blocked=len(ranked.blocked),
            tokens=ranked.tally.tokens,
        )
        kind, _, identity = quarry.name.partition("/")
        if kind == "bookmarks" and ranked.tally.stop is None:
            await self._kept.note_score(UUID(identity), examined.score, self._clock.now())
        return examined
