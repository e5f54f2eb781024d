"""The scoring configuration as a message."""

from decimal import Decimal

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.discovery.api import write
from services.discovery.domain.criteria import CONFIG_REVISION
from services.discovery.domain.scoring.config import VIEW_ROI_PERCENT, Config, Limits
from services.discovery.domain.scoring.score import SCORE_VERSION
from services.discovery.domain.scoring.terms import Strategy


def scoring_config(config: Config) -> pb.ScoringConfig:
    """Write the configuration; the built-in one was made by nobody at no time."""
    return pb.ScoringConfig(
        revision=CONFIG_REVISION,
        etag=str(CONFIG_REVISION),
        fees=_fees(config),
        recommendations=_recommendations(config),
        strategies=[_strategy(one) for one in config.strategies],
        views=[
            pb.ViewConfig(name=f"views/{view}", target_roi_percent=roi)
            for view, roi in VIEW_ROI_PERCENT.items()
        ],
        gates=_gates(config.limits),
        score_version=SCORE_VERSION,
        fee_card=config.card.id,
    )


def _fees(config: Config) -> pb.FeeConfig:
    card, terms = config.card, config.terms
    return pb.FeeConfig(
        prep_cents=terms.prep_cents,
        inbound_cents_per_pound=terms.inbound_cents_per_pound,
        placement_cents=terms.placement_cents,
        returns_basis_points=_basis_points(card.returns_percent),
        referral_basis_points=_basis_points(card.referral_percent),
        closing_cents=card.media_closing_cents,
        surcharge_basis_points=_basis_points(config.surcharge_percent),
        assumed_buy_basis_points=_basis_points(config.assumed_percent),
    )


def _recommendations(config: Config) -> pb.RecommendationConfig:
    strong, buy, consider = map(float, config.rois)
    return pb.RecommendationConfig(
        strong_buy_roi_percent=strong,
        buy_roi_percent=buy,
        consider_roi_percent=consider,
        strong_buy_confidence_score=config.confidences[0],
        buy_confidence_score=config.confidences[1],
    )


def _strategy(one: Strategy) -> pb.StrategyConfig:
    return pb.StrategyConfig(
        strategy=write.strategy(one.name),
        velocity_scores=one.velocities,
        profit_cents=one.profits_cents,
        days_to_sell=one.days,
        window_days=one.window_days,
        buffer_basis_points=_basis_points(one.buffer_percent),
        fba_offer_count=one.fba_offers,
    )


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
