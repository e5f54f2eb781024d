"""The scoring configuration as messages: as it holds, as it was, and what a change would do."""

from datetime import date
from decimal import Decimal

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.rpc import times
from services.discovery.api import responses
from services.discovery.domain.scoring.card import card_for
from services.discovery.domain.scoring.config import Config, Fees
from services.discovery.domain.scoring.rules import Limits
from services.discovery.domain.scoring.score import SCORE_VERSION
from services.discovery.domain.scoring.terms import Strategy
from services.discovery.ports import Revision
from services.discovery.usecases.configuring import Trial


def scoring_config(config: Config, day: date) -> pb.ScoringConfig:
    """Write the configuration with its fees as they are charged on a day."""
    return pb.ScoringConfig(
        revision=config.revision,
        etag=config.etag,
        fees=_fees(config.fees_on(day)),
        recommendations=_recommendations(config),
        strategies=sorted(map(_strategy, config.strategies.values()), key=_place),
        views=[
            pb.ViewConfig(name=f"views/{view}", target_roi_percent=float(roi))
            for view, roi in sorted(config.view_rois.items())
        ],
        gates=_gates(config.rules.limits),
        score_version=SCORE_VERSION,
        fee_card=card_for(day)[0].id,
        caller=config.caller,
        update_time=times.timestamp(config.made_at),
    )


def changes(before: pb.ScoringConfig, after: pb.ScoringConfig) -> list[pb.ScoringConfigChange]:
    """Name every value that differs, by its path."""
    old, new = _flat(before), _flat(after)
    return [
        pb.ScoringConfigChange(path=path, before=old.get(path, ""), after=value)
        for path, value in new.items()
        if old.get(path) != value
    ]


def preview(trial: Trial) -> pb.ScoringPreview:
    """Write what a change would do to one product."""
    return pb.ScoringPreview(
        asin=trial.before.asin,
        before=_unnamed(responses.appraisal(trial.before)),
        after=_unnamed(responses.appraisal(trial.after)),
        changed=trial.changed,
    )


def _unnamed(score: pb.ProductScore) -> pb.ProductScore:
    """Take the name off a score that is not kept, so that nobody asks for it."""
    score.name = ""
    return score


def revision(one: Revision, today: date) -> pb.ScoringConfigRevision:
    """Write a revision with what it changed, both at the fees of the day it was made."""
    day = today if one.config.made_at is None else one.config.made_at.date()
    told = scoring_config(one.config, day)
    before = None if one.before is None else scoring_config(one.before, day)
    return pb.ScoringConfigRevision(
        config=told,
        changes=changes(pb.ScoringConfig() if before is None else before, told),
        note=one.config.note,
    )


def _flat(config: pb.ScoringConfig) -> dict[str, str]:
    """Write every value that can be set as text, by its path."""
    flat: dict[str, str] = {}
    named = [(part, getattr(config, part)) for part in ("fees", "recommendations", "gates")]
    named += [
        (f"strategies.{responses.strategy_name(one.strategy)}", one) for one in config.strategies
    ]
    named += [(f"views.{one.name.removeprefix('views/')}", one) for one in config.views]
    for path, message in named:
        for field in message.DESCRIPTOR.fields:
            if field.name not in {"strategy", "name"} and config.revision:
                flat[f"{path}.{field.name}"] = _text(getattr(message, field.name))
    return flat


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, int) else ", ".join(map(str, value))  # type: ignore[call-overload]


def _fees(fees: Fees) -> pb.FeeConfig:
    return pb.FeeConfig(
        prep_cents=fees.prep_cents,
        inbound_cents_per_pound=fees.inbound_cents_per_pound,
        placement_cents=fees.placement_cents,
        returns_basis_points=_basis_points(fees.returns_percent),
        referral_basis_points=_basis_points(fees.referral_percent),
        closing_cents=fees.closing_cents,
        surcharge_basis_points=_basis_points(fees.surcharge_percent),
        assumed_buy_basis_points=_basis_points(fees.assumed_percent),
    )


def _recommendations(config: Config) -> pb.RecommendationConfig:
    strong, buy, consider = map(float, config.rules.rois)
    return pb.RecommendationConfig(
        strong_buy_roi_percent=strong,
        buy_roi_percent=buy,
        consider_roi_percent=consider,
        strong_buy_confidence_score=config.rules.confidences[0],
        buy_confidence_score=config.rules.confidences[1],
    )


def _strategy(one: Strategy) -> pb.StrategyConfig:
    return pb.StrategyConfig(
        strategy=responses.strategy(one.name),
        velocity_scores=one.velocities,
        profit_cents=one.profits_cents,
        days_to_sell=one.days,
        window_days=one.window_days,
        buffer_basis_points=_basis_points(one.buffer_percent),
        fba_offer_count=one.fba_offers,
    )


def _place(one: pb.StrategyConfig) -> int:
    """Order strategies as the contract does: a database keeps no order of names."""
    return int(one.strategy)


def _gates(limits: Limits) -> pb.GateConfig:
    return pb.GateConfig(
        worst_sales_rank=limits.worst_rank,
        data_days=limits.data_days,
        amazon_out_of_stock_percent=limits.amazon_absent_percent,
        highest_sell_cents=limits.dearest_cents,
        volatility_percent=limits.volatile_percent,
    )


def _basis_points(percent: Decimal) -> int:
    return int(100 * percent)
