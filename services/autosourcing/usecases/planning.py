"""Turns what a caller asks into a plan with its price, without spending anything."""

from dataclasses import dataclass, replace

from services.autosourcing.domain import estimate as estimates
from services.autosourcing.domain import refusals
from services.autosourcing.domain.batches import distinct
from services.autosourcing.domain.estimate import Estimate, Outlook
from services.autosourcing.domain.job import Plan
from services.autosourcing.domain.limits import Limits
from services.autosourcing.domain.spec import Profile, Spec, filled
from services.autosourcing.ports import Budget, Discovery, Jobs
from services.chassis.errors import invalid_field


@dataclass(frozen=True)
class Forecast:
    """What a job would cost, and whether it may start."""

    estimate: Estimate
    outlook: Outlook
    too_expensive: bool


class Planning:
    """Fills in specs and prices them."""

    def __init__(self, jobs: Jobs, discovery: Discovery, budget: Budget, limits: Limits) -> None:
        self._jobs = jobs
        self._discovery = discovery
        self._budget = budget
        self._limits = limits

    async def forecast(self, spec: Spec) -> Forecast:
        """What a job would cost at most, and when it could start."""
        _, estimate = await self.plan(spec)
        too_expensive = estimates.too_expensive(self._limits, estimate)
        required = estimates.required_tokens(self._limits, estimate)
        outlook = await self._budget.outlook(tokens=max(1, estimate.tokens), gate=required)
        if required == 0:
            outlook = replace(outlook, required=0, wait_seconds=0)
        return Forecast(estimate, outlook, too_expensive)

    async def plan(self, spec: Spec) -> tuple[Plan, Estimate]:
        """The plan of a job and the most that its first pass can cost.

        Raises:
            Refusal: There is nothing to look for, or no such profile.
        """
        if spec.criteria is None and not spec.items and not spec.profile:
            raise invalid_field("spec", "needs a filter, a profile or identifiers")
        spec = filled(spec, await self._profile(spec.profile), self._limits)
        if spec.items:
            return await self._plan_given(spec)
        estimate = await self._price_search(spec)
        return Plan(spec, estimate.tokens), estimate

    async def _plan_given(self, spec: Spec) -> tuple[Plan, Estimate]:
        """Given products: duplicates and those seen lately are dropped before the price."""
        asins = distinct(item.asin for item in spec.items)
        recent = frozenset[str]() if spec.include_recent else await self._recent(spec, asins)
        chosen = tuple(asin for asin in asins if asin not in recent)[: spec.products]
        estimate = Estimate(0, 0, 0)
        if chosen:
            estimate = await self._discovery.estimate_products(spec, chosen)
        plan = Plan(
            spec,
            estimate.tokens,
            asins=chosen,
            given=len(spec.items),
            distinct=len(asins),
            recent=len(recent),
        )
        return plan, estimate

    async def _price_search(self, spec: Spec) -> Estimate:
        """The products are known only where the search is stored; else each one is paid."""
        wanted = estimates.candidates_wanted(spec.products)
        return await self._discovery.estimate_search(spec, wanted)

    async def _recent(self, spec: Spec, asins: tuple[str, ...]) -> frozenset[str]:
        assert spec.criteria is not None
        async with self._jobs.transaction() as work:
            since = await work.now() - self._limits.recent_window
            return await work.recent(spec.criteria.domain, asins, since)

    async def _profile(self, profile_id: str) -> Profile | None:
        if not profile_id:
            return None
        async with self._jobs.transaction() as work:
            profile = await work.profile(profile_id)
        if profile is None:
            raise refusals.profile_not_found(f"profiles/{profile_id}")
        return profile
