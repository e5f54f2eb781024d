"""The second pass of a search: its best candidates again, with their live offers."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid5

from services.chassis.errors import Refusal
from services.discovery.domain.answers import Appraisal, Tally
from services.discovery.domain.errand import Errand
from services.discovery.domain.looking import CLOSE_TOKENS, Depth, candidates, improved
from services.discovery.domain.stops import stop_for, stop_named
from services.discovery.usecases.holding import Holder
from services.discovery.usecases.scoring import Appeal, Appraiser


class CloserLook:
    """Looks again at what the first pass found promising, for as long as the tokens last."""

    def __init__(self, appraiser: Appraiser, holder: Holder) -> None:
        self._appraiser = appraiser
        self._holder = holder

    async def improve(
        self,
        appeal: Appeal,
        firsts: Sequence[Appraisal],
        tally: Tally,
        *,
        most: int,
        allowed: int,
        hold_id: UUID,
    ) -> AsyncGenerator[tuple[Appraisal, ...]]:
        """Tell better answers as they come; whatever ends the pass leaves the first ones.

        Args:
            appeal: The first pass's.
            firsts: What that one found.
            tally: What it cost; the second pass is added to it.
            most: How many products at the most; those whose offers are known already count, so
                that the same search again spends nothing.
            allowed: Tokens at the most, whoever brings the envelope.
            hold_id: Names the envelope.
        """
        wanted = candidates(firsts)[: max(0, most - sum(one.offers for one in firsts))]
        if not wanted or appeal.cache_only or tally.stop is not None:
            return
        try:
            async with self._paid(appeal.errand, len(wanted), allowed, hold_id) as (errand, left):
                close = replace(appeal, asins=wanted, errand=errand, depth=Depth.OFFERS)
                async with aclosing(self._appraiser.again(close, left=left)) as chunks:
                    async for chunk in chunks:
                        tally.add_again(chunk.appraisals)
                        if chunk.reason:
                            tally.stop = stop_named(chunk.reason, chunk.retry_after)
                        yield improved(chunk.appraisals)
        except Refusal as refusal:
            tally.stop = stop_for(refusal)

    @asynccontextmanager
    async def _paid(
        self, errand: Errand, number: int, allowed: int, hold_id: UUID
    ) -> AsyncIterator[tuple[Errand, int]]:
        """Say who pays and how much at most: the caller's envelope, or one of our own.

        For an envelope of our own nobody waits: the first pass is answered already, and it
        would come as late as the tokens for what is only an extra.
        """
        if errand.envelope:
            yield errand, min(allowed, await self._holder.left(errand.envelope))
            return
        tokens = CLOSE_TOKENS * min(number, allowed // CLOSE_TOKENS)
        if tokens < CLOSE_TOKENS:
            yield errand, 0
            return
        hasty = replace(errand, max_wait=timedelta(0))
        async with AsyncExitStack() as stack:
            try:
                own = await stack.enter_async_context(self._holder.held(hold_id, tokens, hasty))
            except Refusal as refusal:
                tokens = _affordable(refusal, tokens)
                if not tokens:
                    raise
                fewer = self._holder.held(uuid5(hold_id, "fewer"), tokens, hasty)
                own = await stack.enter_async_context(fewer)
            yield replace(own, max_wait=errand.max_wait), tokens


def _affordable(refusal: Refusal, tokens: int) -> int:
    """Work out from a refusal's numbers how many of the tokens are there."""
    if refusal.reason != "INSUFFICIENT_TOKENS":
        return 0
    missing = int(refusal.facts.get("deficit", tokens))
    return (tokens - missing) // CLOSE_TOKENS * CLOSE_TOKENS
