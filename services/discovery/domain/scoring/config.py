"""The configuration that scores follow: what the business sets, revision by revision."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from services.chassis.errors import invalid_field
from services.discovery.domain.scoring.card import FeeCard, card_for
from services.discovery.domain.scoring.rules import BUILT_IN as USUAL_RULES
from services.discovery.domain.scoring.rules import Rules
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


RUNGS = ("STRONG_BUY", "BUY", "CONSIDER")
Changes = Mapping[str, Any]
"""New values by the name of what they are; what is not named stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """New values for parts of the configuration.

    Attributes:
        fees: Of ``Fees``; ``limits`` of ``Limits``; ``strategies`` of ``Strategy``, by its name.
        rois: By recommendation; ``confidences`` likewise.
    """

    fees: Changes = field(default_factory=dict)
    rois: Mapping[str, Decimal] = field(default_factory=dict)
    confidences: Mapping[str, float] = field(default_factory=dict)
    strategies: Mapping[str, Changes] = field(default_factory=dict)
    view_rois: Mapping[str, Decimal] = field(default_factory=dict)
    limits: Changes = field(default_factory=dict)

    def apply(self, config: Config, day: date) -> Config:
        """Give the configuration with the new values, still under its old revision.

        Raises:
            Refusal: INVALID_FIELD: a recommendation would ask for less than the one below it.
        """
        strategies = {
            name: replace(config.strategies[name], **changes)
            for name, changes in self.strategies.items()
        }
        changed = replace(
            config,
            strategies={**config.strategies, **strategies},
            view_rois={**config.view_rois, **self.view_rois},
        )
        if self.fees:
            changed = _charge(changed, replace(changed.fees_on(day), **self.fees), day)
        rules = replace(
            changed.rules,
            rois=_amended(changed.rules.rois, self.rois),
            confidences=_amended(changed.rules.confidences, self.confidences),
            limits=replace(changed.rules.limits, **self.limits),
        )
        changed = replace(changed, rules=rules)
        _check_order(changed)
        return changed


N = TypeVar("N", Decimal, float)


def _amended(rungs: tuple[N, N, N], changes: Mapping[str, N]) -> tuple[N, N, N]:
    strong, buy, consider = (
        changes.get(name, value) for name, value in zip(RUNGS, rungs, strict=True)
    )
    return strong, buy, consider


def _check_order(config: Config) -> None:
    """Refuse thresholds that rise from STRONG_BUY down to CONSIDER."""
    if _rises(config.rules.rois) or _rises(config.rules.confidences):
        raise invalid_field("config.recommendations", "must not fall from CONSIDER to STRONG_BUY")
    for one in config.strategies.values():
        if _rises(one.velocities) or _rises(one.profits_cents):
            raise invalid_field(
                "config.strategies", f"must not rise from STRONG_BUY to CONSIDER for {one.name}"
            )


def _rises(rungs: tuple[Any, Any, Any]) -> bool:
    return not rungs[0] >= rungs[1] >= rungs[2]


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
