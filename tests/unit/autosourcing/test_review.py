"""The daily review: the first class that fits, and the one pick of the day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import requests_reviews
from services.autosourcing.domain.picks import Action, Finding, Pick, Recommendation, judge
from services.autosourcing.domain.review import ReviewClass, Sighting, in_order, opportunity, review
from services.autosourcing.domain.spec import Thresholds
from services.chassis.errors import Refusal

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FINDING = Finding(
    asin="0306406152",
    title="A book",
    recommendation=Recommendation.BUY,
    buy_price_known=True,
    currency_code="USD",
    sell_price_cents=4200,
    buy_price_cents=1200,
    profit_cents=947,
    max_buy_cents=1619,
    roi_percent=Decimal(40),
    velocity=Decimal(70),
    stability=Decimal(80),
    confidence=Decimal(82),
    sales_rank=95_000,
    buy_basis="OFFER",
)


def seen(
    count: int = 1, hours: float = 0, action: Action = Action.PENDING, **values: Any
) -> Sighting:
    pick = judge(uuid4(), replace(FINDING, **values), Thresholds(roi_percent=Decimal(-100)))
    assert isinstance(pick, Pick)
    previous = NOW - timedelta(hours=hours) if count > 1 else None
    return Sighting(pick, action, NOW, count, previous or NOW, previous)


@pytest.mark.parametrize(
    ("sighting", "expected"),
    [
        (seen(flags=("AMAZON_PRESENT", "RANK_ONLY"), roi_percent=Decimal(90)), "REJECT"),
        (seen(roi_percent=Decimal("-0.01")), "REJECT"),
        (seen(sales_rank=0), "REJECT"),
        (seen(flags=("RANK_ONLY",), roi_percent=Decimal(90)), "FLUKE"),
        (seen(3, 30, roi_percent=Decimal("80.01")), "JACKPOT"),
        (seen(3, 24, roi_percent=Decimal(80)), "REVENANT"),
        (seen(2, 23.9), "STABLE"),
        (seen(2, 1, roi_percent=Decimal(15)), "STABLE"),
        (seen(2, 1, roi_percent=Decimal("14.99")), "OTHER"),
        (seen(), "OTHER"),
    ],
)
def test_the_first_class_that_fits_is_taken(sighting: Sighting, expected: str) -> None:
    """requirements.md section 7: the order and the limits of the classes."""
    found = review(sighting)

    assert found.review_class == expected
    assert found.reason


def test_a_hypothetical_roi_puts_a_target_into_no_class() -> None:
    """Without a known buying price the ROI was computed from an assumption."""
    rich = seen(buy_price_known=False, roi_percent=Decimal(300))
    poor = seen(buy_price_known=False, roi_percent=Decimal(-5))

    assert [review(each).review_class for each in (rich, poor)] == [ReviewClass.OTHER] * 2


def test_classes_are_listed_in_order_and_the_best_first_in_each() -> None:
    given = [seen(), seen(roi_percent=Decimal(50)), seen(sales_rank=0), seen(buy_price_known=False)]

    listed = [each.sighting for each in in_order(given)]

    assert listed == [given[2], given[1], given[0], given[3]]


def test_the_opportunity_is_the_best_that_nobody_turned_down() -> None:
    """A8: neither rejected nor without history nor ignored; priced before targets."""
    rejected = seen(flags=("AMAZON_PRESENT",), roi_percent=Decimal(99))
    fluke = seen(flags=("RANK_ONLY",), roi_percent=Decimal(98))
    ignored = seen(roi_percent=Decimal(97), action=Action.IGNORED)
    target = seen(buy_price_known=False, velocity=Decimal(100), max_buy_cents=90_000)
    good, plain = seen(roi_percent=Decimal(45)), seen(3, 30)

    best = opportunity(in_order([rejected, fluke, ignored, target, plain, good]))

    assert best is not None
    assert best.sighting == good
    assert opportunity(in_order([rejected, fluke, ignored])) is None


def test_a_day_is_the_day_of_its_time_zone() -> None:
    """Also the one on which the clocks change, which has 23 hours."""
    request = pb.GetDailyReviewRequest(date="2026-03-29", time_zone="Europe/Paris")

    day = requests_reviews.day(request, NOW)
    today = requests_reviews.day(pb.GetDailyReviewRequest(time_zone="Pacific/Auckland"), NOW)

    assert (day.start, day.end - day.start) == (
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        timedelta(hours=23),
    )
    assert today.name == "2026-03-02"


@pytest.mark.parametrize(
    ("date", "zone", "field"),
    [
        ("2026-02-30", "", "date"),
        ("9999-12-31", "", "date"),
        ("0001-01-01", "Asia/Tokyo", "date"),
        ("", "Mars/Base", "time_zone"),
        ("", "America", "time_zone"),
        ("", "/etc/passwd", "time_zone"),
    ],
)
def test_no_day_and_no_zone_are_refused(date: str, zone: str, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        requests_reviews.day(pb.GetDailyReviewRequest(date=date, time_zone=zone), NOW)

    assert refused.value.violations[0].field == field
