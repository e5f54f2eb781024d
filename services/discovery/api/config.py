"""The scoring configuration over gRPC."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from arbitragevault.discovery.v1 import discovery_pb2 as pb
from google.protobuf.message import Message

from services.chassis.clock import Clock
from services.chassis.errors import invalid_field
from services.chassis.rpc import times
from services.chassis.rpc.call import Context
from services.discovery.api import read, write
from services.discovery.api.keeping import ask
from services.discovery.domain.scoring.card import card_for
from services.discovery.domain.scoring.config import BUILT_IN, RUNGS, Config, Fees, Proposal
from services.discovery.domain.scoring.rules import Limits
from services.discovery.domain.scoring.score import SCORE_VERSION
from services.discovery.domain.scoring.terms import Strategy
from services.discovery.ports import Revision
from services.discovery.usecases.configuring import Configurator, Trial

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


class ConfigMethods:
    """The part of the servicer that answers about the configuration."""

    _configurator: Configurator
    _clock: Clock

    async def GetScoringConfig(
        self, _request: pb.GetScoringConfigRequest, _: Context
    ) -> pb.GetScoringConfigResponse:
        """Read the scoring configuration that holds now."""
        config = await self._configurator.current()
        return pb.GetScoringConfigResponse(config=scoring_config(config, self._today()))

    async def UpdateScoringConfig(
        self, request: pb.UpdateScoringConfigRequest, _: Context
    ) -> pb.UpdateScoringConfigResponse:
        """Change the scoring configuration, as a new revision."""
        made = await self._configurator.revise(
            ask(request.request_id),
            proposal(request.config, set(request.update_mask.paths)),
            request.config.etag,
            request.note,
        )
        return pb.UpdateScoringConfigResponse(config=scoring_config(made, self._today()))

    async def PreviewScoringConfig(
        self, request: pb.PreviewScoringConfigRequest, _: Context
    ) -> pb.PreviewScoringConfigResponse:
        """Score stored products by a changed configuration beside the one that holds."""
        trials = await self._configurator.preview(
            proposal(request.config, set()),
            read.domain(request.domain),
            tuple(request.asins),
            read.options(request.options),
        )
        known = {trial.before.asin for trial in trials}
        return pb.PreviewScoringConfigResponse(
            previews=map(_preview, trials),
            changed_count=sum(trial.changed for trial in trials),
            missing_asins=[asin for asin in request.asins if asin not in known],
        )

    async def ListScoringConfigRevisions(
        self, request: pb.ListScoringConfigRevisionsRequest, _: Context
    ) -> pb.ListScoringConfigRevisionsResponse:
        """List the revisions, newest first."""
        page = await self._configurator.revisions(
            size=read.page_size(request.page_size),
            after=read.page_place(request, request.page_token),
        )
        return pb.ListScoringConfigRevisionsResponse(
            revisions=[_revision(one, self._today()) for one in page.items],
            next_page_token=read.page_token(request, page.next_place),
        )

    async def GetScoringConfigStats(
        self, _request: pb.GetScoringConfigStatsRequest, _: Context
    ) -> pb.GetScoringConfigStatsResponse:
        """Say what the stored scores look like under the configuration that holds."""
        config, standing = await self._configurator.standing()
        counts = standing.recommendations.items()
        return pb.GetScoringConfigStatsResponse(
            revision=config.revision,
            revision_count=config.revision,
            update_time=times.timestamp(config.made_at),
            score_count=standing.scores,
            stale_score_count=standing.stale,
            recommendations=[
                pb.RecommendationCount(
                    recommendation=pb.Recommendation.Value(f"RECOMMENDATION_{name}"),
                    score_count=count,
                )
                for name, count in sorted(counts)
            ],
            mean_roi_percent=standing.mean_roi,
            mean_velocity_score=standing.mean_velocity,
            mean_confidence_score=standing.mean_confidence,
        )

    def _today(self) -> date:
        return self._clock.now().date()


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
        strategies=_read_strategies(message) if "strategies" in wanted else {},
        view_rois=_read_views(message) if "views" in wanted else {},
        limits=_changes(message.gates, LIMITS) if "gates" in wanted else {},
    )


def changes(before: pb.ScoringConfig, after: pb.ScoringConfig) -> list[pb.ScoringConfigChange]:
    """Name every value that differs, by its path."""
    old, new = _flat(before), _flat(after)
    return [
        pb.ScoringConfigChange(path=path, before=old.get(path, ""), after=value)
        for path, value in new.items()
        if old.get(path) != value
    ]


def _preview(trial: Trial) -> pb.ScoringPreview:
    return pb.ScoringPreview(
        asin=trial.before.asin,
        before=_unnamed(write.appraisal(trial.before)),
        after=_unnamed(write.appraisal(trial.after)),
        changed=trial.changed,
    )


def _unnamed(score: pb.ProductScore) -> pb.ProductScore:
    """Take the name off a score that is not kept, so that nobody asks for it."""
    score.name = ""
    return score


def _revision(one: Revision, today: date) -> pb.ScoringConfigRevision:
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
    named += [(f"strategies.{write.strategy_name(one.strategy)}", one) for one in config.strategies]
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


def _rungs(message: pb.RecommendationConfig, names: tuple[str, ...]) -> dict[str, Decimal]:
    given = {field.name: value for field, value in message.ListFields()}
    rungs = zip(RUNGS, names, strict=False)
    return {rung: _exact(given[name]) for rung, name in rungs if name in given}


def _sure(message: pb.RecommendationConfig) -> dict[str, float]:
    return {rung: float(value) for rung, value in _rungs(message, CONFIDENCES).items()}


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


def _changes(message: Message, reading: Reading) -> dict[str, Any]:
    """Read the fields that are given, by their names in the domain."""
    given = [(field.name, value) for field, value in message.ListFields()]
    named = [(*reading[name], value) for name, value in given if name in reading]
    return {name: read_as(value) for name, read_as, value in named}


def _place(one: pb.StrategyConfig) -> int:
    """Order strategies as the contract does: a database keeps no order of names."""
    return int(one.strategy)


def _read_strategies(message: pb.ScoringConfig) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in message.strategies:
        name = read.strategy(one.strategy)
        if name in found:
            raise invalid_field("config.strategies", f"must name {name} once")
        found[name] = _changes(one, STRATEGY)
    return found


def _read_views(message: pb.ScoringConfig) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for one in message.views:
        view = one.name.removeprefix("views/")
        if view not in BUILT_IN.view_rois or view in found:
            raise invalid_field("config.views", f"must name existing views once, not {one.name}")
        found[view] = _exact(one.target_roi_percent)
    return found


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
