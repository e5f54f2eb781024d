"""The configuration that scores follow: what the business sets, revision by revision."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from services.discovery.domain.scoring.card import FeeCard, card_for
from services.discovery.domain.scoring.rules import BUILT_IN as USUAL_RULES
from services.discovery.domain.scoring.rules import Limits, Rules
from services.discovery.domain.scoring.terms import STRATEGIES, Strategy, Terms

VIEW_ROI_PERCENT: Mapping[str, Decimal] = {
    "profit_hunter": Decimal(50),
    "velocity": Decimal(25),
    "cashflow_hunter": Decimal(35),
    "balanced_score": Decimal(40),
    "volume_player": Decimal(20),
}
"""The ROI on cost that the target prices of each strategic view are worked out for."""

_USUAL = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """Costs and fees as they are charged on one day; percentages are of the sell price."""

    prep_cents: int
    inbound_cents_per_pound: int
    placement_cents: int
    returns_percent: Decimal
    referral_percent: Decimal
    closing_cents: int
    surcharge_percent: Decimal
    assumed_percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One revision; the built-in one was made by nobody at no time.

    Attributes:
        strategies: By name; ``view_rois``, in per cent of the cost, by view.
        caller: Who made it, and why in ``note``.
    """

    rules: Rules = USUAL_RULES
    prep_cents: int = _USUAL.prep_cents
    inbound_cents_per_pound: int = _USUAL.inbound_cents_per_pound
    placement_cents: int = _USUAL.placement_cents
    strategies: Mapping[str, Strategy] = field(default_factory=lambda: dict(STRATEGIES))
    view_rois: Mapping[str, Decimal] = field(default_factory=lambda: dict(VIEW_ROI_PERCENT))
    caller: str = ""
    note: str = ""
    made_at: datetime | None = None

    @property
    def revision(self) -> int:
        """Counts the changes; scores of older revisions are stale."""
        return self.rules.revision

    @property
    def etag(self) -> str:
        """What a change names that is made on what was read."""
        return str(self.revision)

    def card_on(self, day: date) -> FeeCard:
        """Give the fee card of a day with the business's own fees in it."""
        return self.rules.amend(card_for(day)[0])

    def fees_on(self, day: date) -> Fees:
        """Give the fees of a day, whoever sets them."""
        card = self.card_on(day)
        return Fees(
            prep_cents=self.prep_cents,
            inbound_cents_per_pound=self.inbound_cents_per_pound,
            placement_cents=self.placement_cents,
            returns_percent=card.returns_percent,
            referral_percent=card.referral_percent,
            closing_cents=card.media_closing_cents,
            surcharge_percent=100 * (card.fuel_factor(day) - 1),
            assumed_percent=self.rules.assumed_percent,
        )


BUILT_IN = Config()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """New values for parts of the configuration; None, and what is not named, stays.

    Attributes:
        thresholds: ROI and confidence that STRONG_BUY, BUY and CONSIDER ask for.
    """

    fees: Fees | None = None
    thresholds: tuple[tuple[Decimal, Decimal, Decimal], tuple[float, float, float]] | None = None
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    view_rois: Mapping[str, Decimal] = field(default_factory=dict)
    limits: Limits | None = None

    def apply(self, config: Config, day: date) -> Config:
        """Give the configuration with the new values, still under its old revision."""
        changed = replace(
            config,
            strategies={**config.strategies, **self.strategies},
            view_rois={**config.view_rois, **self.view_rois},
        )
        if self.fees is not None:
            changed = _charge(changed, self.fees, day)
        rules = changed.rules
        if self.thresholds is not None:
            rules = replace(rules, rois=self.thresholds[0], confidences=self.thresholds[1])
        if self.limits is not None:
            rules = replace(rules, limits=self.limits)
        return replace(changed, rules=rules)


def _charge(config: Config, fees: Fees, day: date) -> Config:
    """Set fees; one that is what the fee card says follows the card, also when that changes."""
    card = BUILT_IN.fees_on(day)

    def own(name: str) -> Decimal | None:
        value: Decimal = getattr(fees, name)
        return None if value == getattr(card, name) else value

    rules = replace(
        config.rules,
        returns_percent=own("returns_percent"),
        referral_percent=own("referral_percent"),
        closing_cents=None if fees.closing_cents == card.closing_cents else fees.closing_cents,
        surcharge_percent=own("surcharge_percent"),
        assumed_percent=fees.assumed_percent,
    )
    return replace(
        config,
        rules=rules,
        prep_cents=fees.prep_cents,
        inbound_cents_per_pound=fees.inbound_cents_per_pound,
        placement_cents=fees.placement_cents,
    )
