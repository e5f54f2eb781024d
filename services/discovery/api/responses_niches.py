"""Niches as messages: as they were examined, and their templates."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.discovery.api import responses
from services.discovery.domain.niches import Template
from services.discovery.domain.scouting import MOST_SHOWN, Examined


def niche(one: Examined) -> pb.Niche:
    """Write a niche as it was examined."""
    quarry = one.quarry
    return pb.Niche(
        name=quarry.name,
        display_name=quarry.display_name,
        filter=responses.filter_of(quarry.filter),
        strategy=responses.strategy(quarry.strategy),
        niche_score=one.score,
        total_count=one.total,
        scored_count=one.scored,
        passed_count=len(one.passed),
        mean_roi_percent=one.mean_roi,
        mean_velocity_score=one.mean_velocity,
        scores=[responses.appraisal(each) for each in one.passed[:MOST_SHOWN]],
        token_count=one.tokens,
        warning=quarry.warning,
        blocked_count=one.blocked,
    )


def template(one: Template) -> pb.NicheTemplate:
    """Write a template."""
    least_days, most_days = one.days
    return pb.NicheTemplate(
        name=one.name,
        display_name=one.display_name,
        description=one.description,
        kind=pb.NicheKind.Value(f"NICHE_KIND_{one.kind}"),
        filter=responses.filter_of(one.filter),
        strategy=responses.strategy(one.strategy),
        minimum_profit_cents=one.profit_cents,
        maximum_fba_offer_count=one.fba_offers,
        minimum_roi_percent=one.roi_percent,
        minimum_velocity_score=one.velocity,
        least_days_to_sell=least_days,
        most_days_to_sell=most_days,
        warning=one.warning,
    )
