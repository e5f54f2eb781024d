"""Niches examined: which ones are drawn, what passes their limits, and how good they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from statistics import fmean

from services.discovery.domain.answers import Appraisal, rung
from services.discovery.domain.criteria import Filter
from services.discovery.domain.kept import SavedNiche
from services.discovery.domain.niches import NicheKind, Template, template_named, templates
from services.discovery.domain.scoring.score import Score
from services.discovery.domain.scoring.targets import ruled_out, target_buy
from services.discovery.domain.scoring.verdict import Recommendation

MOST_SHOWN = 10
LEAST_SHARE = 4
"""Where no buying price is known, one in this many parts of the sell price must be payable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarry:
    """A niche to be examined: a template or a bookmark.

    Attributes:
        limits: The template whose limits a product must keep; None asks for CONSIDER.
    """

    name: str
    display_name: str
    filter: Filter
    strategy: str
    limits: Template | None
    warning: str = ""

    def passes(self, one: Appraisal) -> bool:
        """Whether a product is what the niche promises."""
        score = one.score
        if score is None or ruled_out(score):
            return False
        if self.limits is None:
            return rung(score.recommendation) >= rung(Recommendation.CONSIDER)
        return _keeps(self.limits, score)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A niche with what was found in it.

    Attributes:
        total: Products that match in all at Keepa.
        scored: How many were scored, of which ``passed`` pass, best first.
    """

    quarry: Quarry
    total: int
    scored: int
    passed: tuple[Appraisal, ...]
    blocked: int
    tokens: int

    @property
    def mean_roi(self) -> float | None:
        """In per cent, of what passes at a known buying price."""
        known = [score.known_roi for score in self._scores if score.known_roi is not None]
        return fmean(known) if known else None

    @property
    def mean_velocity(self) -> float | None:
        """Of what passes."""
        velocities = [score.demand.velocity for score in self._scores if score.demand]
        return fmean(velocities) if velocities else None

    @property
    def score(self) -> float | None:
        """The mean composite of what passes, in which a hypothetical ROI counts nothing."""
        worth = [_worth(score) for score in self._scores]
        return fmean(worth) if worth else None

    @property
    def _scores(self) -> list[Score]:
        return [one.score for one in self.passed if one.score is not None]


def of_template(template: Template) -> Quarry:
    """Examine a template."""
    return Quarry(
        name=template.name,
        display_name=template.display_name,
        filter=template.filter,
        strategy=template.strategy,
        limits=template,
        warning=template.warning,
    )


def of_bookmark(saved: SavedNiche) -> Quarry:
    """Examine a bookmark; it keeps the limits of the template it was made from."""
    limits = template_named(saved.template)
    return Quarry(
        name=saved.name,
        display_name=saved.display_name,
        filter=saved.filter,
        strategy=saved.strategy,
        limits=limits,
        warning="" if limits is None else limits.warning,
    )


def drawn(seed: int, kind: NicheKind | None, count: int) -> tuple[Template, ...]:
    """Draw templates: the same seed draws the same ones in the same order, on every machine."""
    pool = [one for one in templates() if kind in {None, one.kind}]
    return tuple(sorted(pool, key=lambda one: _lot(seed, one.name))[:count])


def seed_from(text: str) -> int:
    """Make a seed of anything that names a request, above 0."""
    return 1 + int.from_bytes(sha256(text.encode()).digest()[:6])


def best_passing(quarry: Quarry, ranked: Sequence[Appraisal]) -> tuple[Appraisal, ...]:
    """Keep what passes, in the order given."""
    return tuple(one for one in ranked if quarry.passes(one))


def _lot(seed: int, name: str) -> bytes:
    return sha256(f"{seed}:{name}".encode()).digest()


def _keeps(limits: Template, score: Score) -> bool:
    """Whether a score keeps every limit of a template."""
    demand, sums, fba = score.demand, score.calculation, score.inputs.figures.standing.fba_offers
    if demand is None or sums is None or demand.velocity < limits.velocity:
        return False
    if fba is not None and fba > limits.fba_offers:
        return False
    if score.known_roi is not None:
        enough = sums.outcome.profit >= limits.profit_cents
        return enough and score.known_roi >= limits.roi_percent
    wish = Decimal(str(limits.roi_percent))
    most = target_buy(score, wish, profit_cents=limits.profit_cents)
    return most is not None and most * LEAST_SHARE >= sums.sale.sell


def _worth(score: Score) -> float:
    velocity = 0.0 if score.demand is None else score.demand.velocity
    return (score.composite or 0.0) if score.known_roi is not None else 0.4 * velocity
