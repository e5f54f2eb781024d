"""Specs and filters of the contract as domain values."""

from collections.abc import Sequence
from decimal import Decimal

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb

from services.autosourcing.api import requests
from services.autosourcing.domain.spec import Criteria, Item, Spec, Thresholds
from services.chassis import identifiers
from services.chassis.errors import FieldViolation, Kind, Refusal, invalid_field

_MOST_VIOLATIONS = 100


def spec(message: pb.JobSpec, field: str = "spec") -> Spec:
    """What a caller asks for; ``field`` is where in the request it stands.

    Raises:
        Refusal: An identifier is no ASIN and no ISBN; every such line is named.
    """
    return Spec(
        display_name=message.display_name,
        profile=requests.last_id(message.profile),
        criteria=criteria(message.filter, f"{field}.filter")
        if message.HasField("filter")
        else None,
        items=_items(message.identifiers, field),
        strategy=requests.strategy(message.strategy),
        products=message.max_products,
        thresholds=Thresholds(
            roi_percent=decimal(message.minimum_roi_percent),
            velocity=decimal(message.minimum_velocity_score),
        ),
        include_recent=message.include_recently_seen,
        force_refresh=message.force_refresh,
    )


def criteria(message: discovery_pb.DiscoveryFilter, field: str) -> Criteria:
    """Which products are asked for; ``field`` is where in the request it stands.

    Raises:
        Refusal: They are to come from a list of best sellers, which no job has an estimate for.
    """
    if message.source == discovery_pb.DISCOVERY_SOURCE_BEST_SELLERS:
        raise invalid_field(f"{field}.source", "a job searches with the Product Finder")
    return Criteria(
        domain=requests.domain(message.domain),
        category_ids=tuple(message.category_ids),
        best_rank=message.rank_range.minimum,
        worst_rank=message.rank_range.maximum,
        lowest_price_cents=message.price_range.minimum_cents,
        highest_price_cents=message.price_range.maximum_cents,
        availability=requests.availability(message.availability),
        condition=requests.condition(message.condition),
        title=message.title,
        products=message.max_results,
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
