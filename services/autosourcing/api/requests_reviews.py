"""Which day is reviewed, and which of its picks."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import requests
from services.autosourcing.domain.review import ReviewClass
from services.chassis.errors import invalid_field


@dataclass(frozen=True)
class Day:
    """A day of a time zone, and when it begins and ends."""

    name: str
    start: datetime
    end: datetime


def day(request: pb.GetDailyReviewRequest | pb.GetOpportunityOfTheDayRequest, now: datetime) -> Day:
    """The day that is asked for; today without a date, UTC without a zone.

    Raises:
        Refusal: There is no such zone, or no such day.
    """
    zone = requests.zone(request.time_zone, "time_zone")
    try:
        found = date.fromisoformat(request.date) if request.date else now.astimezone(zone).date()
        start, end = (
            datetime(each.year, each.month, each.day, tzinfo=zone).astimezone(UTC)
            for each in (found, found + timedelta(days=1))
        )
    except (ValueError, OverflowError):
        raise invalid_field("date", "is no day of the calendar") from None
    return Day(found.isoformat(), start, end)


def review_class(value: pb.ReviewClass.ValueType) -> ReviewClass | None:
    """The class that is asked for; None for every class."""
    return ReviewClass(pb.ReviewClass.Name(value).removeprefix("REVIEW_CLASS_")) if value else None
