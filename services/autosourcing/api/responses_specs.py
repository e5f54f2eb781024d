"""Specs and filters as callers see them."""

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb

from services.autosourcing.api import responses
from services.autosourcing.domain.spec import Criteria, Spec


def spec(value: Spec) -> pb.JobSpec:
    """A stored spec as callers see it."""
    message = pb.JobSpec(
        display_name=value.display_name,
        profile=f"profiles/{value.profile}" if value.profile else "",
        strategy=responses.strategy(value.strategy),
        max_products=value.products,
        minimum_roi_percent=float(value.thresholds.roi_percent),
        minimum_velocity_score=float(value.thresholds.velocity),
        include_recently_seen=value.include_recent,
        force_refresh=value.force_refresh,
    )
    if value.items:
        for item in value.items:
            message.identifiers.add(value=item.asin, buy_cents=item.buy_cents or None)
    elif value.criteria is not None:
        message.filter.CopyFrom(filter_of(value.criteria, value.products))
    return message


def asked_spec(value: Spec) -> pb.JobSpec:
    """A spec as it was asked for, with nothing filled in."""
    message = spec(value)
    if message.HasField("filter") and value.criteria is not None:
        message.filter.max_results = value.criteria.products
    return message


def filter_of(value: Criteria, max_results: int) -> discovery_pb.DiscoveryFilter:
    """The filter for a search of at most so many ASINs; open ranges stay absent."""
    message = discovery_pb.DiscoveryFilter(
        domain=responses.domain(value.domain),
        category_ids=value.category_ids,
        availability=responses.availability(value.availability),
        condition=responses.condition(value.condition),
        title=value.title,
        max_results=max_results,
    )
    if value.best_rank or value.worst_rank:
        message.rank_range.minimum = value.best_rank
        message.rank_range.maximum = value.worst_rank
    if value.lowest_price_cents or value.highest_price_cents:
        message.price_range.minimum_cents = value.lowest_price_cents
        message.price_range.maximum_cents = value.highest_price_cents
    return message
