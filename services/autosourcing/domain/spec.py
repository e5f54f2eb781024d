"""What a job looks for: filters, given products, thresholds, and profiles that fill them in."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from services.autosourcing.domain.limits import Limits


@dataclass(frozen=True)
class Criteria:
    """Which products a search is for; an empty value does not restrict.

    ``domain``, ``availability`` and ``condition`` are the contract's words without their
    prefix. Ranks and prices are inclusive, 0 is open; prices are in cents.
    """

    domain: str = ""
    category_ids: tuple[int, ...] = ()
    best_rank: int = 0
    worst_rank: int = 0
    lowest_price_cents: int = 0
    highest_price_cents: int = 0
    availability: str = ""
    condition: str = ""
    title: str = ""
    products: int = 0


@dataclass(frozen=True)
class Item:
    """One given product, with what the reseller would pay for it; 0 is unknown."""

    asin: str
    buy_cents: int = 0


@dataclass(frozen=True)
class Thresholds:
    """The least that a pick with a known buying price must reach, in percent or points."""

    roi_percent: Decimal = Decimal(0)
    velocity: Decimal = Decimal(0)
    stability: Decimal = Decimal(0)
    confidence: Decimal = Decimal(0)


@dataclass(frozen=True)
class Spec:
    """What a job was asked for; empty and 0 mean: whatever the profile or the default says.

    Attributes:
        profile: The id of the profile that fills what is absent.
        criteria: Which products are searched; None without a search.
        items: Products given instead of a search, each once.
        products: Products that are analysed at most.
        max_picks: Picks that are saved at most; 0 is no limit.
    """

    display_name: str = ""
    profile: str = ""
    criteria: Criteria | None = None
    items: tuple[Item, ...] = ()
    strategy: str = ""
    products: int = 0
    thresholds: Thresholds = Thresholds()
    max_picks: int = 0
    include_recent: bool = False
    force_refresh: bool = False


@dataclass(frozen=True)
class Profile:
    """Saved values for jobs, under a name.

    Attributes:
        products: Products that are analysed at most; 0 is the service's default.
    """

    id: str
    display_name: str
    criteria: Criteria
    strategy: str
    products: int
    thresholds: Thresholds
    max_picks: int
    created_at: datetime
    revision: int = 1
    updated_at: datetime | None = None

    @property
    def etag(self) -> str:
        """Changes with every update; a profile made anew under the same id has other ones."""
        return f"{self.revision}-{self.created_at.timestamp():.3f}"


def filled(spec: Spec, profile: Profile | None, limits: Limits) -> Spec:
    """The spec with every absent value taken from the profile, else from the defaults.

    Given products are all analysed unless the spec itself says how many at most.
    """
    if profile is not None:
        spec = _from_profile(spec, profile)
    criteria = spec.criteria or Criteria()
    spec = replace(
        spec,
        strategy=spec.strategy or "BALANCED",
        criteria=replace(
            criteria,
            domain=criteria.domain or "COM",
            availability=criteria.availability or "ANY",
            condition=criteria.condition or "NEW",
        ),
    )
    if spec.items:
        return replace(spec, products=min(spec.products or len(spec.items), len(spec.items)))
    default = criteria.products or limits.products_per_search
    return replace(spec, products=spec.products or default)


def _from_profile(spec: Spec, profile: Profile) -> Spec:
    own, saved = spec.thresholds, profile.thresholds
    criteria = _merged(spec.criteria, profile.criteria)
    return replace(
        spec,
        criteria=criteria,
        strategy=spec.strategy or profile.strategy,
        products=spec.products or (0 if spec.items else criteria.products or profile.products),
        max_picks=spec.max_picks or profile.max_picks,
        thresholds=Thresholds(
            roi_percent=own.roi_percent or saved.roi_percent,
            velocity=own.velocity or saved.velocity,
            stability=own.stability or saved.stability,
            confidence=own.confidence or saved.confidence,
        ),
    )


def _merged(own: Criteria | None, saved: Criteria) -> Criteria:
    """The own filter; a range counts as one value, so half of one is never mixed in."""
    if own is None:
        return saved
    ranked = bool(own.best_rank or own.worst_rank)
    priced = bool(own.lowest_price_cents or own.highest_price_cents)
    ranks, prices = (own if ranked else saved), (own if priced else saved)
    return Criteria(
        domain=own.domain or saved.domain,
        category_ids=own.category_ids or saved.category_ids,
        best_rank=ranks.best_rank,
        worst_rank=ranks.worst_rank,
        lowest_price_cents=prices.lowest_price_cents,
        highest_price_cents=prices.highest_price_cents,
        availability=own.availability or saved.availability,
        condition=own.condition or saved.condition,
        title=own.title or saved.title,
        products=own.products,
    )
