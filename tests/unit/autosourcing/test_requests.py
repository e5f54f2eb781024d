"""What a list is asked with comes from anybody: page tokens and instants that mean nothing."""

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from services.autosourcing.api import requests, requests_pages
from services.chassis.errors import Refusal

PICK = "9f0e5d39-2f8f-4a0e-8f5b-6f1a5f2f6f11"
PLACE: tuple[str | int, ...] = ("PRICED", "97.828", 1214, "1660682312", PICK)
LISTING = pb.ListPicksRequest(page_size=1)


def test_a_token_goes_on_where_its_page_ended() -> None:
    """The forms below refuse none of our own tokens."""
    place = requests_pages.pick_place(LISTING, requests_pages.token(LISTING, *PLACE))

    assert place is not None
    assert (place.kind, place.sort_score, place.profit_cents) == ("PRICED", "97.828", 1214)


@pytest.mark.parametrize(
    ("position", "forged"),
    [
        (0, "CHEAP"),
        (1, "abc"),
        (1, "NaN"),
        (1, "1e400000"),
        (2, "1" * 40),
        (2, "many"),
        (3, "16606\x0012"),
        (4, "x"),
    ],
)
def test_a_forged_token_is_refused(position: int, forged: str) -> None:
    """Tokens carry no secret: whatever the database could not compare is an INVALID_FIELD (A13)."""
    place = list(PLACE)
    place[position] = forged

    with pytest.raises(Refusal) as refused:
        requests_pages.pick_place(LISTING, requests_pages.token(LISTING, *place))

    assert refused.value.violations[0].field == "page_token"


def test_a_forged_instant_or_profile_is_refused() -> None:
    """The other two lists are as open to strangers."""
    jobs, profiles = pb.ListJobsRequest(), pb.ListProfilesRequest()

    with pytest.raises(Refusal):
        requests_pages.newest_place(
            jobs, requests_pages.token(jobs, "0001-01-01T00:00:00+23:00", PICK)
        )
    with pytest.raises(Refusal):
        requests_pages.profile_place(profiles, requests_pages.token(profiles, "a\x00"))


@pytest.mark.parametrize("seconds", [10**18, -(10**18), 2**63 - 1])
def test_an_instant_outside_the_calendar_is_refused(seconds: int) -> None:
    """No number in a request makes a service fail (A13)."""
    asked = pb.GetJobStatsRequest(start_time=Timestamp(seconds=seconds))

    with pytest.raises(Refusal) as refused:
        requests.instant(asked, "start_time")

    assert refused.value.violations[0].field == "start_time"
