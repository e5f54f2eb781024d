"""Profiles as callers see them."""

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import responses, responses_specs
from services.autosourcing.domain.spec import Profile
from services.chassis.rpc import times


def profile(value: Profile) -> pb.Profile:
    """A saved profile as callers see it."""
    return pb.Profile(
        name=f"profiles/{value.id}",
        display_name=value.display_name,
        filter=responses_specs.filter_of(value.criteria, value.products),
        strategy=responses.strategy(value.strategy),
        max_products=value.products,
        minimum_roi_percent=float(value.thresholds.roi_percent),
        minimum_velocity_score=float(value.thresholds.velocity),
        minimum_stability_score=float(value.thresholds.stability),
        minimum_confidence_score=float(value.thresholds.confidence),
        max_picks=value.max_picks,
        etag=value.etag,
        create_time=times.timestamp(value.created_at),
        update_time=times.timestamp(value.updated_at),
    )
