"""Reviews of a day as callers see them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import responses_jobs
from services.autosourcing.domain.review import ReviewClass, Reviewed
from services.autosourcing.ports import SavedPick
from services.chassis.rpc import times


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
            pick=responses_jobs.pick(saved[each.sighting.pick.id]),
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
