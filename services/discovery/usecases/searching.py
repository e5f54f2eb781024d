"""Searches of people and programs: bound to their request, priced, paid once, remembered."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4, uuid5

from services.chassis.clock import Clock
from services.chassis.errors import Kind, Refusal
from services.discovery.domain.answers import Appraisal, Listing, Tally, best_first, rung
from services.discovery.domain.criteria import Filter, Options, digest
from services.discovery.domain.errand import Errand
from services.discovery.domain.past import SearchKind, ended_search, source_of
from services.discovery.domain.stops import stop_for, stop_named
from services.discovery.ports import Envelopes, Requests, Searches
from services.discovery.usecases.estimating import Estimate, Estimator
from services.discovery.usecases.finding import Finder
from services.discovery.usecases.scoring import BATCH, Appeal, Appraiser

Before = Callable[[], Awaitable[None]]
ENVELOPE_DURATION = timedelta(seconds=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What every search brings beside its question."""

    id: UUID
    errand: Errand
    force_refresh: bool = False
    cache_only: bool = False

    def call_id(self, content: object) -> UUID:
        """Name a call by the request and by what it asks for: a retry names the same ones."""
        return uuid5(self.id, digest("call", content))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A list, and how it came about."""

    listing: Listing
    tally: Tally
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Scored products, best first, and how they came about."""

    appraisals: Sequence[Appraisal]
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
        estimator: Estimator,
        *,
        envelopes: Envelopes,
        requests: Requests,
        searches: Searches,
        clock: Clock,
        max_tokens: int,
    ) -> None:
        self._finder = finder
        self._appraiser = appraiser
        self._estimator = estimator
        self._envelopes = envelopes
        self._requests = requests
        self._searches = searches
        self._clock = clock
        self._max_tokens = max_tokens

    async def discover(self, request: Request, wanted: Filter) -> Found:
        """Find products."""
        began = self._clock.monotonic()
        await self._bind(request, ("discover", wanted))

        async def check() -> None:
            self._check_price(request, wanted.most_tokens)

        listing = await self._find(request, wanted, request.errand, check)
        tally = Tally()
        tally.add_listing(listing)
        seconds = self._clock.monotonic() - began
        await self._remember(
            request, SearchKind.DISCOVERY, tally, seconds, wanted, results=len(listing.asins)
        )
        return Found(listing=listing, tally=tally, seconds=seconds)

    async def score(
        self, request: Request, domain: int, asins: Sequence[str], options: Options
    ) -> AsyncGenerator[tuple[Appraisal, ...] | Ended]:
        """Score given products as they become known; the last thing told is the end.

        Raises:
            Refusal: Not one product could be answered.
        """
        began, tally = self._clock.monotonic(), Tally()
        attempt = await self._bind(request, ("score", domain, asins, options))
        calls = -(-len(asins) // BATCH)
        most = await self._price(request, len(asins), calls, lambda: self._products(domain, asins))
        async with self._envelope(request, attempt, most, calls=calls) as errand:
            appeal = self._appeal(request, domain, asins, options, errand)
            async with aclosing(self._appraise(appeal, tally)) as parts:
                async for part in parts:
                    yield part
        seconds = self._clock.monotonic() - began
        await self._remember(request, SearchKind.SCORING, tally, seconds, None)
        yield Ended(tally=tally, seconds=seconds)

    async def discover_scored(
        self, request: Request, wanted: Filter, options: Options, *, least_rung: int
    ) -> Ranked:
        """Find products and score them, best first; a search that is stopped says why."""
        began, tally = self._clock.monotonic(), Tally()
        attempt = await self._bind(request, ("discover scored", wanted, options))
        priced = await self._estimator.outline(wanted, force_refresh=request.force_refresh)
        calls = (not priced.search_stored) + -(-priced.products // BATCH)
        most = await self._price(request, priced.most, calls, lambda: self._search(wanted))
        answered: list[Appraisal] = []
        async with self._envelope(request, attempt, most, calls=calls) as errand:
            listing = await self._find(request, wanted, errand, None)
            tally.add_listing(listing)
            asins = listing.asins[: wanted.max_results]
            appeal = self._appeal(request, wanted.domain, asins, options, errand)
            async for part in self._appraise(appeal, tally, some=True):
                answered.extend(part)
        seconds = self._clock.monotonic() - began
        await self._remember(request, SearchKind.DISCOVERY, tally, seconds, wanted)
        ranked = [one for one in best_first(answered) if _reaches(one, least_rung)]
        return Ranked(appraisals=ranked, total=listing.total, tally=tally, seconds=seconds)

    async def _products(self, domain: int, asins: Sequence[str]) -> Estimate:
        return await self._estimator.products(domain, asins, force_refresh=False)

    async def _search(self, wanted: Filter) -> Estimate:
        return await self._estimator.search(wanted, wanted.max_results, force_refresh=False)

    async def _price(
        self,
        request: Request,
        upper: int,
        calls: int,
        estimate: Callable[[], Awaitable[Estimate]],
    ) -> int:
        """Say what a search may cost; exactly only where the upper bound is not good enough.

        Raises:
            Refusal: JOB_TOO_EXPENSIVE.
        """
        if request.cache_only:
            return 0
        most = upper
        if not request.force_refresh and (calls > 1 or upper > self._allowed(request)):
            most = (await estimate()).most
        self._check_price(request, most)
        return most

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
        question = (content, request.force_refresh, request.cache_only)
        return await self._requests.bind(request.id, digest("request", question))

    def _allowed(self, request: Request) -> int:
        return min(self._max_tokens, request.errand.max_tokens or self._max_tokens)

    def _check_price(self, request: Request, most: int) -> None:
        """Refuse what is too much by its price.

        Raises:
            Refusal: JOB_TOO_EXPENSIVE.
        """
        allowed = self._allowed(request)
        if most <= allowed:
            return
        suggestion = "Reduce max_results or narrow filters"
        raise Refusal(
            Kind.INVALID_ARGUMENT,
            "JOB_TOO_EXPENSIVE",
            f"The search may cost {most} tokens and {allowed} are allowed. {suggestion}.",
            facts={"estimated_tokens": most, "max_allowed": allowed, "suggestion": suggestion},
        )

    @asynccontextmanager
    async def _envelope(
        self, request: Request, attempt: int, most: int, *, calls: int
    ) -> AsyncIterator[Errand]:
        """Hold the tokens of a search of several calls for its length.

        Who brings an envelope pays from it; who asks once, or for nothing, needs none.
        """
        errand = request.errand
        if errand.envelope or most == 0 or calls < 2:
            yield errand
            return
        hold_id = uuid5(request.id, f"envelope {attempt}")
        envelope = await self._envelopes.hold(hold_id, most, errand, duration=ENVELOPE_DURATION)
        try:
            yield replace(errand, envelope=envelope, max_tokens=0)
        finally:
            # A caller who went away must not leave tokens behind.
            releasing = self._envelopes.release(uuid5(hold_id, "release"), envelope)
            await asyncio.shield(asyncio.ensure_future(releasing))

    async def _remember(
        self,
        request: Request,
        kind: SearchKind,
        tally: Tally,
        seconds: float,
        wanted: Filter | None,
        *,
        results: int | None = None,
    ) -> None:
        errand = request.errand
        search = ended_search(
            tally,
            seconds,
            search_id=uuid4(),
            caller=errand.caller,
            job=errand.job,
            now=self._clock.now(),
        )
        await self._searches.add(
            replace(
                search,
                kind=kind,
                source=source_of(errand.caller),
                filter=wanted,
                results=tally.asked if results is None else results,
            )
        )


def _reaches(one: Appraisal, least_rung: int) -> bool:
    if least_rung <= 1:
        return True
    return one.score is not None and rung(one.score.recommendation) >= least_rung
