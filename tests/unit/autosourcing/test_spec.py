"""How a profile and the defaults fill in what a job's caller left out."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb

from services.autosourcing.api.requests_specs import criteria, spec
from services.autosourcing.domain.limits import Limits
from services.autosourcing.domain.spec import (
    Criteria,
    Item,
    Profile,
    Spec,
    Thresholds,
    filled,
)
from services.chassis.errors import Refusal

LIMITS = Limits()
PROFILE = Profile(
    id="textbooks",
    display_name="Textbooks",
    criteria=Criteria(
        category_ids=(283155,),
        best_rank=1000,
        worst_rank=25_000,
        lowest_price_cents=3000,
        highest_price_cents=30_000,
    ),
    strategy="TEXTBOOKS_STANDARD",
    products=30,
    thresholds=Thresholds(Decimal(40), Decimal(70), Decimal(80), Decimal(75)),
    max_picks=15,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def test_ten_products_are_analysed_when_nobody_says_otherwise() -> None:
    """A1: MAX_PRODUCTS_PER_SEARCH."""
    assert filled(Spec(criteria=Criteria()), None, LIMITS).products == 10


def test_a_profile_fills_what_is_absent() -> None:
    spec = filled(Spec(profile="textbooks"), PROFILE, LIMITS)

    assert spec.products == 30
    assert spec.strategy == "TEXTBOOKS_STANDARD"
    assert spec.thresholds == PROFILE.thresholds
    assert spec.criteria is not None
    assert spec.criteria.worst_rank == 25_000


def test_what_the_caller_says_wins_over_the_profile() -> None:
    own = Spec(
        criteria=Criteria(best_rank=1, title="calculus", products=12),
        thresholds=Thresholds(roi_percent=Decimal(10)),
        strategy="BALANCED",
    )

    spec = filled(own, PROFILE, LIMITS)

    assert (spec.strategy, spec.products) == ("BALANCED", 12)
    assert spec.thresholds.roi_percent == 10
    assert spec.thresholds.velocity == 70
    assert spec.criteria is not None
    assert (spec.criteria.best_rank, spec.criteria.worst_rank) == (1, 0)
    assert spec.criteria.highest_price_cents == 30_000


def test_given_products_are_all_analysed() -> None:
    """A10: fifty identifiers are fifty products, whatever a profile says about searches."""
    items = tuple(Item(f"B{number:09d}") for number in range(50))

    assert filled(Spec(items=items), PROFILE, LIMITS).products == 50
    assert filled(Spec(items=items, products=7), PROFILE, LIMITS).products == 7


def test_a_job_never_searches_another_source_than_was_asked_for() -> None:
    """A filter that is dropped in silence is a job about other products."""
    asked = discovery_pb.DiscoveryFilter(source=discovery_pb.DISCOVERY_SOURCE_BEST_SELLERS)

    with pytest.raises(Refusal, match="Product Finder"):
        criteria(asked, "filter")
    with pytest.raises(Refusal) as refused:
        spec(pb.JobSpec(filter=asked), "schedule.spec")
    assert refused.value.violations[0].field == "schedule.spec.filter.source"
