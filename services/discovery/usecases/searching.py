"""Searches of people and programs: bound to their request, priced, paid once, remembered."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from uuid import uuid5

from services.chassis.clock import Clock
from services.chassis.errors import Refusal
from services.discovery.domain.answers import Appraisal, Listing, Tally, best_first, rung
from services.discovery.domain.criteria import Filter, Options, digest
from services.discovery.domain.errand import Errand
from services.discovery.domain.past import SearchKind
from services.discovery.domain.stops import stop_for, stop_named
from services.discovery.ports import Requests
from services.discovery.usecases.asking import Request
from services.discovery.usecases.finding import Finder
from services.discovery.usecases.looking import CloserLook
from services.discovery.usecases.paying import Payer
from services.discovery.usecases.recording import Recorder
from services.discovery.usecases.renewing import Renewals
from services.discovery.usecases.scoring import Appeal, Appraiser

Before = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A list, and how it came about."""

    listing: Listing
    tally: Tally
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Scored products, best first, and how they came about; ``blocked`` were left out."""

    appraisals: Sequence[Appraisal]
    blocked: Sequence[str]
    total: int
    tally: Tally
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a stream of scores."""

    tally: Tally
    seconds: float


class SearchDesk:
    """Takes searches, sees that they are paid once, and remembers them."""

    def __init__(
        self,
        finder: Finder,
        appraiser: Appraiser,
        payer: Payer,
        *,
        closer: CloserLook,
        renewals: Renewals,
        requests: Requests,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._finder = finder
        self._appraiser = appraiser
        self._payer = payer
        self._closer = closer
        self._renewals = renewals
        self._requests = requests
        self._recorder = recorder
        self._clock = clock

    async def discover(self, request: Request, wanted: Filter) -> Found:
        """Find products."""
        began, tally = self._clock.monotonic(), Tally()
        await self._bind(request, ("discover", wanted))

        async def check() -> None:
            self._payer.check(request, wanted.most_tokens)

        listing = await self._finder.last(wanted) if request.accept_stale else None
        if listing is None:
            listing = await self._find(request, wanted, request.errand, check)
        tally.add_listing(listing)
        self._renew(request, tally, wanted.key, lambda later: self.discover(later, wanted))
        seconds = self._clock.monotonic() - began
        await self._recorder.remember(
            request.errand, SearchKind.DISCOVERY, tally, seconds, wanted, results=len(listing.asins)
        )
        return Found(listing=listing, tally=tally, seconds=seconds)

    async def score(
        self, request: Request, domain: int, asins: Sequence[str], options: Options
    ) -> AsyncGenerator[tuple[Appraisal, ...] | Ended]:
        """Score given products as they become known; the last thing told is the end.

        A product that is looked at again is told again.

        Raises:
            Refusal: Not one product could be answered.
        """
        began, tally = self._clock.monotonic(), Tally()
        attempt = await self._bind(request, ("score", domain, asins, options))
        appeal = self._appeal(request, domain, asins, options, request.errand)
        parts = self._score(request, attempt, appeal, tally)
        async with aclosing(parts):
            async for part in parts:
                yield part
        key = digest("renew", (domain, asins, options))
        self._renew(request, tally, key, lambda later: self._drain(later, domain, asins, options))
        seconds = self._clock.monotonic() - began
        await self._recorder.remember(request.errand, SearchKind.SCORING, tally, seconds, None)
        yield Ended(tally=tally, seconds=seconds)

    async def discover_scored(
        self, request: Request, wanted: Filter, options: Options, *, least_rung: int
    ) -> Ranked:
        """Find products and score them, best first; a search that is stopped says why."""
        began, tally = self._clock.monotonic(), Tally()
        attempt = await self._bind(request, ("discover scored", wanted, options))
        archived = await self._archived(request, wanted, options)
        if archived is None:
            listing, answered = await self._search(request, attempt, wanted, options, tally)
        else:
            listing, answered = archived
            tally.add_listing(listing)
            tally.add(answered, stored=True)
        key = digest("renew", (wanted, options))
        self._renew(
            request,
            tally,
            key,
            lambda later: self.discover_scored(later, wanted, options, least_rung=1),
        )
        seconds = self._clock.monotonic() - began
        await self._recorder.remember(request.errand, SearchKind.DISCOVERY, tally, seconds, wanted)
        ranked = [one for one in best_first(answered) if _reaches(one, least_rung)]
        return Ranked(
            appraisals=ranked,
            blocked=listing.blocked,
            total=listing.total,
            tally=tally,
            seconds=seconds,
        )

    async def _score(
        self, request: Request, attempt: int, appeal: Appeal, tally: Tally
    ) -> AsyncGenerator[tuple[Appraisal, ...]]:
        """Score in one pass, and look again at the best where that is asked for."""
        stored = await self._appraiser.last(appeal) if request.accept_stale else {}
        if len(stored) == len(appeal.asins):
            tally.add(stored.values(), stored=True)
            yield tuple(stored.values())
            return
        firsts: list[Appraisal] = []
        paying = self._payer.products(request, attempt, appeal.domain, appeal.asins)
        async with (
            paying as errand,
            aclosing(self._appraise(replace(appeal, errand=errand), tally)) as parts,
        ):
            async for part in parts:
                firsts.extend(part)
                yield part
        async with aclosing(self._improve(request, attempt, appeal, firsts, tally)) as parts:
            async for part in parts:
                yield part

    async def _search(
        self, request: Request, attempt: int, wanted: Filter, options: Options, tally: Tally
    ) -> tuple[Listing, Collection[Appraisal]]:
        """Find and score within one envelope, then look again at the best within another."""
        answered: dict[str, Appraisal] = {}
        async with self._payer.search(request, attempt, wanted) as errand:
            listing = await self._find(request, wanted, errand, None)
            tally.add_listing(listing)
            asins = listing.asins[: wanted.max_results]
            appeal = self._appeal(request, wanted.domain, asins, options, errand)
            async for part in self._appraise(appeal, tally, some=True):
                answered |= {one.asin: one for one in part}
        firsts, own = tuple(answered.values()), replace(appeal, errand=request.errand)
        async for part in self._improve(request, attempt, own, firsts, tally):
            answered |= {one.asin: one for one in part}
        return listing, answered.values()

    async def _archived(
        self, request: Request, wanted: Filter, options: Options
    ) -> tuple[Listing, Collection[Appraisal]] | None:
        """Give a search that is stored whole, of any age, to who accepts that."""
        listing = await self._finder.last(wanted) if request.accept_stale else None
        if listing is None:
            return None
        asins = listing.asins[: wanted.max_results]
        appeal = self._appeal(request, wanted.domain, asins, options, request.errand)
        stored = await self._appraiser.last(appeal)
        return (listing, stored.values()) if len(stored) == len(asins) else None

    def _improve(
        self,
        request: Request,
        attempt: int,
        appeal: Appeal,
        firsts: Sequence[Appraisal],
        tally: Tally,
    ) -> AsyncGenerator[tuple[Appraisal, ...]]:
        return self._closer.improve(
            appeal,
            firsts,
            tally,
            most=request.close_looks,
            allowed=self._payer.allowed(request) - tally.tokens - tally.unsettled,
            hold_id=uuid5(request.id, f"closer look {attempt}"),
        )

    def _renew(
        self,
        request: Request,
        tally: Tally,
        key: str,
        again: Callable[[Request], Awaitable[object]],
    ) -> None:
        """Ask again in the background, when something had expired and the caller accepted it."""
        if not tally.stale or not request.accept_stale or request.cache_only:
            return
        later = request.later()
        self._renewals.begin(key, lambda: again(later))
        tally.refreshing = True

    async def _drain(
        self, request: Request, domain: int, asins: Sequence[str], options: Options
    ) -> None:
        async for _ in self.score(request, domain, asins, options):
            pass

    async def _find(
        self, request: Request, wanted: Filter, errand: Errand, before: Before | None
    ) -> Listing:
        return await self._finder.find(
            request.call_id(("find", wanted)),
            wanted,
            errand,
            force_refresh=request.force_refresh,
            cache_only=request.cache_only,
            before=before,
        )

    def _appeal(
        self,
        request: Request,
        domain: int,
        asins: Sequence[str],
        options: Options,
        errand: Errand,
    ) -> Appeal:
        return Appeal(
            domain=domain,
            asins=asins,
            options=options,
            errand=errand,
            as_of=self._clock.now().replace(microsecond=0),
            call_id=request.call_id,
            force_refresh=request.force_refresh,
            cache_only=request.cache_only,
        )

    async def _appraise(
        self, appeal: Appeal, tally: Tally, *, some: bool = False
    ) -> AsyncGenerator[tuple[Appraisal, ...]]:
        """Tell answers as they come; a refusal after the first answer only ends the search."""
        try:
            async with aclosing(self._appraiser.appraise(appeal)) as chunks:
                async for chunk in chunks:
                    tally.add(chunk.appraisals, stored=chunk.stored)
                    if chunk.reason and not appeal.cache_only:
                        tally.stop = stop_named(chunk.reason, chunk.retry_after)
                    yield chunk.appraisals
        except Refusal as refusal:
            if not some and tally.asked == 0:
                raise
            tally.stop = stop_for(refusal)

    async def _bind(self, request: Request, content: object) -> int:
        question: tuple[object, ...] = (content, request.force_refresh, request.cache_only)
        if request.accept_stale or request.close_looks:
            question = (*question, request.accept_stale, request.close_looks)
        return await self._requests.bind(request.id, digest("request", question))


def _reaches(one: Appraisal, least_rung: int) -> bool:
    if least_rung <= 1:
        return True
    return one.score is not None and rung(one.score.recommendation) >= least_rung
