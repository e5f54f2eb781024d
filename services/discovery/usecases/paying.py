"""What a search may cost, and the envelope that pays for it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid5

from services.chassis.errors import Kind, Refusal
from services.discovery.domain.criteria import Filter
from services.discovery.domain.errand import Errand
from services.discovery.usecases.asking import Request
from services.discovery.usecases.estimating import Estimator
from services.discovery.usecases.holding import Holder
from services.discovery.usecases.scoring import BATCH


class Payer:
    """Prices searches before they begin, and holds what they may cost."""

    def __init__(self, estimator: Estimator, holder: Holder, *, max_tokens: int) -> None:
        self._estimator = estimator
        self._holder = holder
        self._max_tokens = max_tokens

    def allowed(self, request: Request) -> int:
        """Give the most that a search may cost."""
        return min(self._max_tokens, request.errand.max_tokens or self._max_tokens)

    def check(self, request: Request, most: int) -> None:
        """Refuse what is too much by its price.

        Raises:
            Refusal: JOB_TOO_EXPENSIVE.
        """
        allowed = self.allowed(request)
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
    async def products(
        self, request: Request, attempt: int, domain: int, asins: Sequence[str]
    ) -> AsyncIterator[Errand]:
        """Pay for scoring given products inside a block; the estimate is asked where it matters.

        Raises:
            Refusal: JOB_TOO_EXPENSIVE, or budget's.
        """
        calls, most = -(-len(asins) // BATCH), len(asins)
        if self._exactly(request, calls, most):
            most = (await self._estimator.products(domain, asins, force_refresh=False)).most
        async with self.envelope(request, attempt, most, calls=calls) as errand:
            yield errand

    @asynccontextmanager
    async def search(self, request: Request, attempt: int, wanted: Filter) -> AsyncIterator[Errand]:
        """Pay for finding and scoring inside a block.

        Raises:
            Refusal: JOB_TOO_EXPENSIVE, or budget's.
        """
        priced = await self._estimator.outline(wanted, force_refresh=request.force_refresh)
        calls, most = (not priced.search_stored) + -(-priced.products // BATCH), priced.most
        if self._exactly(request, calls, most):
            scored = wanted.max_results
            most = (await self._estimator.search(wanted, scored, force_refresh=False)).most
        async with self.envelope(request, attempt, most, calls=calls) as errand:
            yield errand

    def _exactly(self, request: Request, calls: int, most: int) -> bool:
        """Whether the upper bound is not good enough, so that what is stored must be counted."""
        if request.cache_only or request.force_refresh:
            return False
        return calls > 1 or most > self.allowed(request)

    @asynccontextmanager
    async def envelope(
        self, request: Request, attempt: int, most: int, *, calls: int
    ) -> AsyncIterator[Errand]:
        """Hold the tokens of a search of several calls for its length.

        Who brings an envelope pays from it; who asks once, or for nothing, needs none.
        """
        errand = request.errand
        if request.cache_only:
            yield errand
            return
        self.check(request, most)
        if errand.envelope or most == 0 or calls < 2:
            yield errand
            return
        async with self._holder.held(uuid5(request.id, f"envelope {attempt}"), most, errand) as own:
            yield own
