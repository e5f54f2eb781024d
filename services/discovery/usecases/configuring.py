"""Configuring: what scores follow is read, tried on products, changed, and never forgotten."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from services.chassis.clock import Clock
from services.chassis.errors import Kind, Refusal
from services.discovery.domain.answers import Appraisal, Fetched, appraisal
from services.discovery.domain.criteria import Options, digest
from services.discovery.domain.errand import Errand
from services.discovery.domain.scoring.config import Config, Proposal
from services.discovery.domain.scoring.score import score
from services.discovery.ports import Blocks, Gateway, Page, Place, Revision, Rulebook, Standing
from services.discovery.usecases.finding import STORED
from services.discovery.usecases.keeping import Ask


@dataclass(frozen=True, slots=True)
class Trial:
    """One product as it is scored now, and as it would be."""

    before: Appraisal
    after: Appraisal

    @property
    def changed(self) -> bool:
        """Whether the recommendation would be another one."""
        assert self.before.score is not None
        assert self.after.score is not None
        return self.before.score.recommendation is not self.after.score.recommendation


class Configurator:
    """Takes changes of the configuration; spends nothing."""

    def __init__(self, rulebook: Rulebook, gateway: Gateway, blocks: Blocks, clock: Clock) -> None:
        self._rulebook = rulebook
        self._gateway = gateway
        self._blocks = blocks
        self._clock = clock

    async def current(self) -> Config:
        """Read the revision that holds."""
        return await self._rulebook.current()

    async def revise(self, ask: Ask, proposal: Proposal, etag: str, note: str) -> Config:
        """Make a revision; values that are all there already make none.

        Raises:
            Refusal: ETAG_MISMATCH.
        """
        now = self._clock.now()

        def act(held: Config) -> Config:
            _check(held, etag)
            changed = proposal.apply(held, now.date())
            if changed == held:
                return held
            rules = replace(changed.rules, revision=held.revision + 1)
            return replace(changed, rules=rules, caller=ask.caller, note=note, made_at=now)

        question = digest("configure", (proposal, etag, note))
        return await self._rulebook.revise(ask.id, question, act)

    async def preview(
        self, proposal: Proposal, domain: int, asins: Sequence[str], options: Options
    ) -> list[Trial]:
        """Score what is stored of some products by both configurations, in their order."""
        now = self._clock.now().replace(microsecond=0)
        held = await self._rulebook.current()
        tried = proposal.apply(held, now.date())
        found = await self._stored(domain, asins)
        blocked = await self._blocks.reasons(domain, list(found))

        def scored(one: Fetched, config: Config) -> Appraisal:
            return _appraise(one, options, blocked.get(one.asin), config, now)

        known = [found[asin] for asin in asins if asin in found]
        return [Trial(scored(one, held), scored(one, tried)) for one in known]

    async def revisions(self, *, size: int, after: Place) -> Page[Revision]:
        """List revisions, newest first."""
        return await self._rulebook.page(size=size, after=after)

    async def standing(self) -> tuple[Config, Standing]:
        """Say how the stored scores stand under the revision that holds."""
        return await self._rulebook.current(), await self._rulebook.standing()

    async def _stored(self, domain: int, asins: Sequence[str]) -> dict[str, Fetched]:
        answers = self._gateway.products(
            uuid4(), domain, asins, Errand(), max_age=STORED, stored_only=True
        )
        async with aclosing(answers):
            return {one.asin: one async for one in answers if one.facts is not None}


def _check(held: Config, etag: str) -> None:
    if etag != held.etag:
        raise Refusal(
            Kind.ABORTED,
            "ETAG_MISMATCH",
            "The scoring configuration has changed since it was read; read it again.",
            facts={"etag": held.etag},
        )


def _appraise(
    fetched: Fetched, options: Options, blocked: str | None, config: Config, now: datetime
) -> Appraisal:
    assert fetched.facts is not None
    free = replace(fetched, tokens=0, unsettled=0)
    return appraisal(free, score(fetched.facts, options.terms(fetched.asin, blocked, config), now))
