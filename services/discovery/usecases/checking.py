"""Looking at one product: its numbers, its stock, and whether it is still worth buying."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from services.chassis.clock import Clock
from services.chassis.errors import invalid_field
from services.discovery.domain.answers import Appraisal, Status, Tally, appraisal
from services.discovery.domain.criteria import Options, digest
from services.discovery.domain.kept import not_found
from services.discovery.domain.looking import Depth
from services.discovery.domain.metrics import Metrics, measure
from services.discovery.domain.past import SearchKind
from services.discovery.domain.scoring.score import score
from services.discovery.domain.scoring.selling import sell_price
from services.discovery.domain.scoring.terms import Condition, Terms
from services.discovery.domain.stock import Stock, stock_near
from services.discovery.domain.verification import (
    Change,
    Verdict,
    View,
    changes,
    concluded,
    decided_on,
    seen_now,
)
from services.discovery.ports import Blocks, Requests, Rulebook, Scores
from services.discovery.usecases.asking import Request
from services.discovery.usecases.glancing import NO_OFFERS, Glance, Glancer
from services.discovery.usecases.recording import Recorder


@dataclass(kw_only=True)
class Effort:
    """How an answer came about, known whole when it is given."""

    tally: Tally
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The numbers of one product."""

    metrics: Metrics
    glance: Glance
    effort: Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The stock of one product."""

    stock: Stock
    glance: Glance
    effort: Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a buying decision was made on.

    Attributes:
        score_id: A stored score; ``view``: values of the caller's own. Neither: the newest score.
        options: How the product is scored now; None takes those of the score.
    """

    score_id: UUID | None = None
    view: View | None = None
    options: Options | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Whether a product is still what it was."""

    verdict: Verdict
    message: str
    changes: tuple[Change, ...]
    then: View
    now: Appraisal
    effort: Effort


class Checker:
    """Answers about one product at a time."""

    def __init__(
        self,
        glancer: Glancer,
        scores: Scores,
        *,
        blocks: Blocks,
        rulebook: Rulebook,
        requests: Requests,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._glancer = glancer
        self._scores = scores
        self._blocks = blocks
        self._rulebook = rulebook
        self._requests = requests
        self._recorder = recorder
        self._clock = clock

    async def metrics(
        self, request: Request, domain: int, asin: str, condition: Condition
    ) -> Measured:
        """Read what is known of a product.

        Raises:
            Refusal: PRODUCT_NOT_FOUND, CACHE_MISS, or the gateway's or budget's own.
        """
        async with self._asked(request, ("metrics", domain, asin, condition)) as effort:
            glance = await self._glancer.fetch(request, domain, asin, Depth.PLAIN)
            _add(effort.tally, glance, None)
            terms = Terms(condition=condition)
            found = measure(glance.facts, terms, self._clock.now().replace(microsecond=0))
        return Measured(metrics=found, glance=glance, effort=effort)

    async def stock(
        self, request: Request, domain: int, asin: str, condition: Condition, target_cents: int
    ) -> Counted:
        """Count what is for sale near a price; 0 takes the price that would be scored now.

        Raises:
            Refusal: PRODUCT_NOT_FOUND, CACHE_MISS, or what kept it from being fetched.
        """
        question = ("stock", domain, asin, condition, target_cents)
        async with self._asked(request, question) as effort:
            glance = await self._glancer.offers(request, domain, asin)
            _add(effort.tally, glance, None)
            sell = sell_price(glance.facts, Terms(condition=condition), self._clock.now())
            target = target_cents or (0 if sell is None else sell.cents)
        if not target:
            raise invalid_field("target_cents", "must be given: no price is to be expected")
        stock = stock_near(glance.facts.offers, condition, target)
        return Counted(stock=stock, glance=glance, effort=effort)

    async def verify(
        self, request: Request, domain: int, asin: str, decision: Decision
    ) -> Verified:
        """Look at a product anew and compare it with what a decision was made on.

        Raises:
            Refusal: SCORE_NOT_FOUND, PRODUCT_NOT_FOUND, or the gateway's or budget's own.
        """
        then, options = await self._decided(domain, asin, decision)
        afresh = replace(request, force_refresh=True, cache_only=False)
        async with self._asked(request, ("verify", domain, asin, decision)) as effort:
            glance = await self._glancer.fetch(afresh, domain, asin, Depth.OFFERS, fresh_only=True)
            if glance.facts.offers is None:
                glance = replace(glance, stop=glance.stop or NO_OFFERS)
            now, terms = await self._scored(domain, glance, options)
            _add(effort.tally, glance, now)
        assert now.score is not None
        seen = seen_now(glance.facts, terms, now.score.inputs.as_of, then)
        found = changes(then, seen)
        verdict, message = concluded(then, seen, found, blocked=terms.blocked)
        return Verified(
            verdict=verdict, message=message, changes=found, then=then, now=now, effort=effort
        )

    async def _decided(self, domain: int, asin: str, decision: Decision) -> tuple[View, Options]:
        """Find what was decided on, before anything is spent."""
        if decision.view is not None:
            return decision.view, decision.options or Options()
        if decision.score_id is not None:
            found = await self._scores.find(decision.score_id)
        else:
            found = (await self._scores.newest([(domain, asin)])).get((domain, asin))
        if found is None or found.score is None:
            name = decision.score_id or f"- (the newest of {asin})"
            raise not_found("SCORE", "Score", f"scores/{name}")
        if found.asin != asin:
            raise invalid_field("score", f"is of {found.asin}, not of {asin}")
        return decided_on(found), decision.options or _options(asin, found.score.inputs.terms)

    async def _scored(
        self, domain: int, glance: Glance, options: Options
    ) -> tuple[Appraisal, Terms]:
        """Score what is seen now, and keep the score so that it can be explained."""
        asin = glance.fetched.asin
        blocked = (await self._blocks.reasons(domain, [asin])).get(asin)
        terms = options.terms(asin, blocked, await self._rulebook.current())
        as_of = self._clock.now().replace(microsecond=0)
        now = appraisal(glance.fetched, score(glance.facts, terms, as_of))
        await self._scores.write(domain, {asin: options.key(domain, asin, blocked)}, [now])
        return now, terms

    @asynccontextmanager
    async def _asked(self, request: Request, question: tuple[object, ...]) -> AsyncIterator[Effort]:
        """Bind a request to its question, time it, and remember what it cost."""
        began, effort = self._clock.monotonic(), Effort(tally=Tally())
        content = (question, request.force_refresh, request.cache_only)
        await self._requests.bind(request.id, digest("request", content))
        yield effort
        effort.seconds = self._clock.monotonic() - began
        kind = SearchKind.SCORING
        await self._recorder.remember(request.errand, kind, effort.tally, effort.seconds, None)


def _add(tally: Tally, glance: Glance, scored: Appraisal | None) -> None:
    stored = glance.fetched.status in {Status.CACHED, Status.STALE}
    tally.look(scored or appraisal(glance.fetched, None), stored=stored)
    tally.stop = glance.stop


def _options(asin: str, terms: Terms) -> Options:
    """Ask for a score of the same terms again."""
    return Options(
        strategy=terms.strategy.name,
        condition=terms.condition,
        costs_cents={} if terms.cost_cents is None else {asin: terms.cost_cents},
        sales_tax_basis_points=int(100 * terms.sales_tax_percent),
        source_shipping_cents=terms.source_shipping_cents,
    )
