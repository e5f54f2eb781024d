"""Specs, filters and profiles of the contract as domain values, and back."""

from collections.abc import Sequence
from decimal import Decimal

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb

from services.autosourcing.api import words
from services.autosourcing.domain.spec import Criteria, Item, Profile, Spec, Thresholds
from services.chassis import identifiers
from services.chassis.errors import FieldViolation, Kind, Refusal, invalid_field
from services.chassis.rpc import times

_MOST_VIOLATIONS = 100


def spec(message: pb.JobSpec, field: str = "spec") -> Spec:
    """What a caller asks for; ``field`` is where in the request it stands.

    Raises:
        Refusal: An identifier is no ASIN and no ISBN; every such line is named.
    """
    return Spec(
        display_name=message.display_name,
        profile=words.last_id(message.profile),
        criteria=criteria(message.filter, f"{field}.filter")
        if message.HasField("filter")
        else None,
        items=_items(message.identifiers, field),
        strategy=words.strategy_asked(message.strategy),
        products=message.max_products,
        thresholds=Thresholds(
            roi_percent=decimal(message.minimum_roi_percent),
            velocity=decimal(message.minimum_velocity_score),
        ),
        include_recent=message.include_recently_seen,
        force_refresh=message.force_refresh,
    )


def spec_message(value: Spec) -> pb.JobSpec:
    """A stored spec as callers see it."""
    message = pb.JobSpec(
        display_name=value.display_name,
        profile=f"profiles/{value.profile}" if value.profile else "",
        strategy=words.strategy(value.strategy),
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
        message.filter.CopyFrom(filter_message(value.criteria, value.products))
    return message


def asked_message(value: Spec) -> pb.JobSpec:
    """A spec as it was asked for, with nothing filled in."""
    message = spec_message(value)
    if message.HasField("filter") and value.criteria is not None:
        message.filter.max_results = value.criteria.products
    return message


def criteria(message: discovery_pb.DiscoveryFilter, field: str) -> Criteria:
    """Which products are asked for; ``field`` is where in the request it stands.

    Raises:
        Refusal: They are to come from a list of best sellers, which no job has an estimate for.
    """
    if message.source == discovery_pb.DISCOVERY_SOURCE_BEST_SELLERS:
        raise invalid_field(f"{field}.source", "a job searches with the Product Finder")
    return Criteria(
        domain=words.domain_asked(message.domain),
        category_ids=tuple(message.category_ids),
        best_rank=message.rank_range.minimum,
        worst_rank=message.rank_range.maximum,
        lowest_price_cents=message.price_range.minimum_cents,
        highest_price_cents=message.price_range.maximum_cents,
        availability=words.availability_asked(message.availability),
        condition=words.condition_asked(message.condition),
        title=message.title,
        products=message.max_results,
    )


def filter_message(value: Criteria, max_results: int) -> discovery_pb.DiscoveryFilter:
    """The filter for a search of at most so many ASINs; open ranges stay absent."""
    message = discovery_pb.DiscoveryFilter(
        domain=words.domain(value.domain),
        category_ids=value.category_ids,
        availability=words.availability(value.availability),
        condition=words.condition(value.condition),
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


def profile(value: Profile) -> pb.Profile:
    """A saved profile as callers see it."""
    return pb.Profile(
        name=f"profiles/{value.id}",
        display_name=value.display_name,
        filter=filter_message(value.criteria, value.products),
        strategy=words.strategy(value.strategy),
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


def _items(given: Sequence[pb.Identifier], field: str) -> tuple[Item, ...]:
    """The given products in order, duplicates kept; the first own price of each counts."""
    items: list[Item] = []
    violations: list[FieldViolation] = []
    for index, one in enumerate(given):
        try:
            items.append(Item(identifiers.asin_of(one.value), one.buy_cents))
        except identifiers.BadIdentifierError as error:
            place = f"{field}.identifiers[{index}].value"
            violations.append(FieldViolation(place, f"{one.value!r}: {error}"))
    if violations:
        count = len(violations)
        raise Refusal(
            Kind.INVALID_ARGUMENT,
            "INVALID_FIELD",
            f"{count} of {len(given)} identifiers cannot be used; nothing was spent.",
            facts={"unusable": count, "given": len(given)},
            violations=violations[:_MOST_VIOLATIONS],
        )
    return tuple(items)


def decimal(number: float) -> Decimal:
    """The number that was meant: 39.99 and not the nearest double."""
    return Decimal(str(number))
