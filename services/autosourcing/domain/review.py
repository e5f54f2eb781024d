"""What a day's review makes of a pick, seen together with when it was found before."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.autosourcing.domain.picks import Action, Kind, Pick, listing_order

_JACKPOT_ROI = 80
_STABLE_ROI = 15
_STABLE_SIGHTINGS = 2
_REVENANT_AFTER = timedelta(hours=24)


class ReviewClass(StrEnum):
    """The classes, in the order in which they are tried and listed."""

    REJECT = "REJECT"
    FLUKE = "FLUKE"
    JACKPOT = "JACKPOT"
    REVENANT = "REVENANT"
    STABLE = "STABLE"
    OTHER = "OTHER"


@dataclass(frozen=True)
class Sighting:
    """A pick, and how often jobs had found the product on its marketplace by then.

    Attributes:
        count: This one included.
        previous_at: When it was found last before; None when never.
    """

    pick: Pick
    action: Action
    created_at: datetime
    count: int = 1
    first_at: datetime | None = None
    previous_at: datetime | None = None


@dataclass(frozen=True)
class Reviewed:
    """A pick in its class, with the reason for people."""

    sighting: Sighting
    review_class: ReviewClass
    reason: str


def review(sighting: Sighting) -> Reviewed:
    """Put a pick into the first class that fits.

    With an assumed buying price the ROI is hypothetical and decides nothing.

    Source:
        requirements.md section 7, the daily review.
    """
    finding = sighting.pick.finding
    roi = finding.roi_percent if sighting.pick.kind is Kind.PRICED else None
    if rejection := _rejection(sighting):
        return Reviewed(sighting, ReviewClass.REJECT, rejection)
    if "RANK_ONLY" in finding.flags:  # What scoring says when no sales were ever measured.
        reason = "No sales history: its rank is all that is known"
        return Reviewed(sighting, ReviewClass.FLUKE, reason)
    if roi is not None and roi > _JACKPOT_ROI:
        reason = f"ROI {roi:.2f} % is above {_JACKPOT_ROI} %"
        return Reviewed(sighting, ReviewClass.JACKPOT, reason)
    if sighting.previous_at and sighting.created_at - sighting.previous_at >= _REVENANT_AFTER:
        hours = (sighting.created_at - sighting.previous_at) // timedelta(hours=1)
        return Reviewed(sighting, ReviewClass.REVENANT, f"Found again after {hours} hours")
    if sighting.count >= _STABLE_SIGHTINGS and roi is not None and roi >= _STABLE_ROI:
        reason = f"Found {sighting.count} times, ROI {roi:.2f} %"
        return Reviewed(sighting, ReviewClass.STABLE, reason)
    return Reviewed(sighting, ReviewClass.OTHER, sighting.pick.reason)


def in_order(sightings: Iterable[Sighting]) -> list[Reviewed]:
    """All picks in the order of the classes, best first in each."""
    classes = list(ReviewClass)

    def place(each: Reviewed) -> tuple[object, ...]:
        pick = each.sighting.pick
        return (classes.index(each.review_class), *listing_order(pick), str(pick.id))

    return sorted(map(review, sightings), key=place)


def opportunity(reviewed: Iterable[Reviewed]) -> Reviewed | None:
    """The best pick that is neither REJECT nor FLUKE nor ignored, priced before targets."""
    worth = (
        each
        for each in reviewed
        if each.review_class not in (ReviewClass.REJECT, ReviewClass.FLUKE)
        and each.sighting.action is not Action.IGNORED
    )
    return min(worth, key=lambda each: listing_order(each.sighting.pick), default=None)


def _rejection(sighting: Sighting) -> str:
    """Why a pick is rejected; empty when it is not."""
    finding = sighting.pick.finding
    if "AMAZON_PRESENT" in finding.flags:
        return "Amazon sells it"
    if sighting.pick.kind is Kind.PRICED and finding.roi_percent < 0:
        return f"ROI {finding.roi_percent:.2f} % is negative"
    return "" if finding.sales_rank else "It has no sales rank"
