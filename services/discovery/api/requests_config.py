"""Changes of the scoring configuration as values of the domain."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from arbitragevault.discovery.v1 import discovery_pb2 as pb
from google.protobuf.message import Message

from services.chassis.errors import invalid_field
from services.discovery.api import requests
from services.discovery.domain.scoring.config import BUILT_IN, RUNGS, Proposal

PARTS = ("fees", "recommendations", "strategies", "views", "gates")


def _percent(basis_points: int) -> Decimal:
    return _exact(basis_points / 100)


def _exact(number: float) -> Decimal:
    """Read a number as it was written, so that 30.0 reads 30 in every sentence."""
    return Decimal(f"{number:.6f}").normalize() + 0  # The sum undoes 3E+1.


Reading = Mapping[str, tuple[str, Callable[[Any], object]]]
"""What a field is called in the domain, and how it is read."""

FEES: Reading = {
    "prep_cents": ("prep_cents", int),
    "inbound_cents_per_pound": ("inbound_cents_per_pound", int),
    "placement_cents": ("placement_cents", int),
    "returns_basis_points": ("returns_percent", _percent),
    "referral_basis_points": ("referral_percent", _percent),
    "closing_cents": ("closing_cents", int),
    "surcharge_basis_points": ("surcharge_percent", _percent),
    "assumed_buy_basis_points": ("assumed_percent", _percent),
}
LIMITS: Reading = {
    "worst_sales_rank": ("worst_rank", int),
    "data_days": ("data_days", int),
    "amazon_out_of_stock_percent": ("amazon_absent_percent", int),
    "highest_sell_cents": ("dearest_cents", int),
    "volatility_percent": ("volatile_percent", int),
}
STRATEGY: Reading = {
    "velocity_scores": ("velocities", tuple),
    "profit_cents": ("profits_cents", tuple),
    "days_to_sell": ("days", int),
    "window_days": ("window_days", int),
    "buffer_basis_points": ("buffer_percent", _percent),
    "fba_offer_count": ("fba_offers", int),
}
ROIS = ("strong_buy_roi_percent", "buy_roi_percent", "consider_roi_percent")
CONFIDENCES = ("strong_buy_confidence_score", "buy_confidence_score")


def proposal(message: pb.ScoringConfig, mask: set[str]) -> Proposal:
    """Read which parts change to what; without a mask, those that are given."""
    given = {field.name for field, _ in message.ListFields()} & set(PARTS)
    if not mask <= given:
        missing = ", ".join(sorted(mask - given))
        raise invalid_field("config", f"must hold every part of update_mask: {missing}")
    wanted = mask or given
    if not wanted:
        raise invalid_field("config", f"must hold a part to change: {', '.join(PARTS)}")
    recommended = message.recommendations
    return Proposal(
        fees=_changes(message.fees, FEES) if "fees" in wanted else {},
        rois=_rungs(recommended, ROIS) if "recommendations" in wanted else {},
        confidences=_sure(recommended) if "recommendations" in wanted else {},
        strategies=_strategies(message) if "strategies" in wanted else {},
        view_rois=_views(message) if "views" in wanted else {},
        limits=_changes(message.gates, LIMITS) if "gates" in wanted else {},
    )


def _rungs(message: pb.RecommendationConfig, names: tuple[str, ...]) -> dict[str, Decimal]:
    given = {field.name: value for field, value in message.ListFields()}
    rungs = zip(RUNGS, names, strict=False)
    return {rung: _exact(given[name]) for rung, name in rungs if name in given}


def _sure(message: pb.RecommendationConfig) -> dict[str, float]:
    return {rung: float(value) for rung, value in _rungs(message, CONFIDENCES).items()}


def _changes(message: Message, reading: Reading) -> dict[str, Any]:
    """Read the fields that are given, by their names in the domain."""
    given = [(field.name, value) for field, value in message.ListFields()]
    named = [(*reading[name], value) for name, value in given if name in reading]
    return {name: read_as(value) for name, read_as, value in named}


def _strategies(message: pb.ScoringConfig) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in message.strategies:
        name = requests.strategy(one.strategy)
        if name in found:
            raise invalid_field("config.strategies", f"must name {name} once")
        found[name] = _changes(one, STRATEGY)
    return found


def _views(message: pb.ScoringConfig) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for one in message.views:
        view = one.name.removeprefix("views/")
        if view not in BUILT_IN.view_rois or view in found:
            raise invalid_field("config.views", f"must name existing views once, not {one.name}")
        found[view] = _exact(one.target_roi_percent)
    return found
