"""Which products become picks, and in what order."""

from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest

from services.autosourcing.domain.picks import (
    Finding,
    Kind,
    Pick,
    Rating,
    Recommendation,
    Tier,
    judge,
    listing_order,
    rating,
    tier,
)
from services.autosourcing.domain.spec import Thresholds

JOB_ID = uuid4()
GOOD = Finding(
    asin="0470820942",
    title="A textbook",
    recommendation=Recommendation.BUY,
    buy_price_known=True,
    currency_code="USD",
    sell_price_cents=6500,
    buy_price_cents=1400,
    profit_cents=2547,
    max_buy_cents=3000,
    roi_percent=Decimal("167.57"),
    velocity=Decimal("96.25"),
    stability=Decimal(82),
    confidence=Decimal(88),
    sales_rank=42_000,
    buy_basis="OFFER",
)
PROFILE = Thresholds(
    roi_percent=Decimal(40),
    velocity=Decimal(70),
    stability=Decimal(80),
    confidence=Decimal(75),
)


def pick(**changes: object) -> Pick:
    made = judge(JOB_ID, replace(GOOD, **changes), PROFILE)  # type: ignore[arg-type]
    assert isinstance(made, Pick)
    return made


def test_a_skip_is_never_a_pick() -> None:
    """A11: the gates of scoring decide first."""
    skipped = replace(GOOD, recommendation=Recommendation.SKIP, summary="Amazon sells it")

    assert judge(JOB_ID, skipped, PROFILE) == "Amazon sells it"


@pytest.mark.parametrize(
    ("weak", "why"),
    [
        ({"roi_percent": Decimal("39.99")}, "ROI 39.99 is below the 40.00 asked for"),
        ({"velocity": Decimal("69.99")}, "Velocity 69.99 is below the 70.00 asked for"),
        ({"stability": Decimal(79)}, "Stability 79.00 is below the 80.00 asked for"),
        ({"confidence": Decimal(74)}, "Confidence 74.00 is below the 75.00 asked for"),
    ],
)
def test_a_priced_product_must_reach_the_profile(weak: dict[str, Decimal], why: str) -> None:
    """A11."""
    assert judge(JOB_ID, replace(GOOD, **weak), PROFILE) == why  # type: ignore[arg-type]


def test_the_profile_itself_is_enough() -> None:
    pick(
        roi_percent=Decimal(40),
        velocity=Decimal(70),
        stability=Decimal(80),
        confidence=Decimal(75),
    )


def test_an_assumed_price_makes_a_target_pick() -> None:
    """A11, c4: a hypothetical ROI decides nothing; the price not to exceed is the pick."""
    target = pick(
        buy_price_known=False,
        roi_percent=Decimal("8.89"),
        velocity=Decimal("66.41"),
        recommendation=Recommendation.CONSIDER,
        max_buy_cents=824,
    )

    assert target.kind is Kind.TARGET
    assert target.rating is Rating.UNRATED
    assert target.reason.startswith("Buy at or below 8.24 USD")


def test_a_target_without_a_price_to_name_is_no_pick() -> None:
    priceless = replace(GOOD, buy_price_known=False, max_buy_cents=0)

    assert judge(JOB_ID, priceless, PROFILE) == "No price would leave a profit"


def test_targets_are_listed_after_the_priced() -> None:
    """A11."""
    weak = pick(asin="B1", roi_percent=Decimal(41))
    strong = pick(asin="B2")
    target = pick(asin="B0", buy_price_known=False, velocity=Decimal(100), max_buy_cents=90_000)

    ordered = sorted([target, weak, strong], key=listing_order)

    assert [p.finding.asin for p in ordered] == ["B2", "B1", "B0"]


@pytest.mark.parametrize(
    ("roi", "profit", "velocity", "confidence", "expected"),
    [
        (50, 1500, 80, 85, Tier.HOT),
        (50, 1499, 80, 85, Tier.TOP),
        (35, 1000, 70, 75, Tier.TOP),
        (25, 500, 60, 65, Tier.WATCH),
        (25, 500, 59, 65, Tier.OTHER),
        (24, 5000, 99, 99, Tier.OTHER),
    ],
)
def test_a_tier_is_decided_by_the_weakest_number(
    roi: int, profit: int, velocity: int, confidence: int, expected: Tier
) -> None:
    scored = replace(
        GOOD,
        roi_percent=Decimal(roi),
        profit_cents=profit,
        velocity=Decimal(velocity),
        confidence=Decimal(confidence),
    )

    assert tier(scored) is expected


@pytest.mark.parametrize(
    ("roi", "velocity", "stability", "confidence", "expected"),
    [
        (35, 70, 70, 80, Rating.EXCELLENT),
        (35, 70, 69, 80, Rating.GOOD),
        (15, 30, 30, 40, Rating.FAIR),
        (14, 99, 99, 99, Rating.PASS),
    ],
)
def test_a_rating_is_decided_by_the_weakest_number(
    roi: int, velocity: int, stability: int, confidence: int, expected: Rating
) -> None:
    scored = replace(
        GOOD,
        roi_percent=Decimal(roi),
        velocity=Decimal(velocity),
        stability=Decimal(stability),
        confidence=Decimal(confidence),
    )

    assert rating(scored) is expected


def test_the_same_product_is_the_same_pick_however_often_it_is_found() -> None:
    """A repeated answer must not list a product twice."""
    assert pick().id == pick(profit_cents=1).id
