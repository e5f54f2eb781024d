"""Reviews of a day: which day is meant, and the answers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import translate, words
from services.autosourcing.domain.review import ReviewClass, Reviewed
from services.autosourcing.ports import SavedPick
from services.chassis.errors import invalid_field
from services.chassis.rpc import times
from services.chassis.rpc.pages import bad_token


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
    zone = words.zone(request.time_zone, "time_zone")
    try:
        found = date.fromisoformat(request.date) if request.date else now.astimezone(zone).date()
        start, end = (
            datetime(each.year, each.month, each.day, tzinfo=zone).astimezone(UTC)
            for each in (found, found + timedelta(days=1))
        )
    except (ValueError, OverflowError):
        raise invalid_field("date", "is no day of the calendar") from None
    return Day(found.isoformat(), start, end)


def asked(value: pb.ReviewClass.ValueType) -> ReviewClass | None:
    """The class that is asked for; None for every class."""
    return ReviewClass(pb.ReviewClass.Name(value).removeprefix("REVIEW_CLASS_")) if value else None


def behind(reviewed: Sequence[Reviewed], last: UUID | None) -> Sequence[Reviewed]:
    """What follows the pick with which the last page ended.

    Raises:
        Refusal: There is no such pick in this list.
    """
    if last is None:
        return reviewed
    places = (at for at, each in enumerate(reviewed, 1) if each.sighting.pick.id == last)
    place = next(places, None)
    if place is None:
        raise bad_token()
    return reviewed[place:]


def counts(reviewed: Sequence[Reviewed]) -> list[pb.ReviewClassCount]:
    """How many picks are in each class, in the order of the classes."""
    found = Counter(each.review_class for each in reviewed)
    return [
        pb.ReviewClassCount(review_class=_word(each), pick_count=found[each])
        for each in ReviewClass
    ]


def picks(page: Sequence[Reviewed], saved: Mapping[UUID, SavedPick]) -> list[pb.ReviewedPick]:
    """Reviewed picks as callers see them."""
    return [
        pb.ReviewedPick(
            pick=translate.pick(saved[each.sighting.pick.id]),
            review_class=_word(each.review_class),
            reason=each.reason,
            sighting_count=each.sighting.count,
            first_sighting_time=times.timestamp(each.sighting.first_at),
            previous_sighting_time=times.timestamp(each.sighting.previous_at),
        )
        for each in page
        if each.sighting.pick.id in saved
    ]


def message(best: Reviewed | None, reviewed: Sequence[Reviewed], name: str) -> str:
    """Why this one, or why none."""
    count = f"{len(reviewed)} pick{'' if len(reviewed) == 1 else 's'} of {name}"
    if best is not None:
        return f"The best of {count}: {best.reason}"
    if reviewed:
        return f"None of the {count} is worth it: rejected, without history, or ignored"
    return f"No picks were found on {name}"


def _word(value: ReviewClass) -> pb.ReviewClass.ValueType:
    return pb.ReviewClass.Value(f"REVIEW_CLASS_{value}")
