"""Profiles as they are asked for: ids, masks and what an empty field means."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb
from google.protobuf.field_mask_pb2 import FieldMask

from services.autosourcing.api import requests_profiles
from services.autosourcing.domain.limits import Limits
from services.autosourcing.domain.spec import Criteria, Profile, Spec, Thresholds, filled
from services.chassis.errors import Refusal

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAVED = Profile(
    id="books",
    display_name="Books",
    criteria=Criteria(worst_rank=9000),
    strategy="BALANCED",
    products=20,
    thresholds=Thresholds(roi_percent=Decimal(40), velocity=Decimal(70)),
    max_picks=15,
    created_at=NOW,
)


def changed(*mask: str, **values: object) -> Profile:
    request = pb.UpdateProfileRequest(
        request_id=str(uuid4()),
        profile=pb.Profile(name="profiles/books", **values),  # type: ignore[arg-type]
        update_mask=FieldMask(paths=mask) if mask else None,
    )
    return requests_profiles.change(request)(SAVED)


def created(display_name: str, profile_id: str = "", **values: object) -> Profile:
    profile = pb.Profile(display_name=display_name, **values)  # type: ignore[arg-type]
    return requests_profiles.new(pb.CreateProfileRequest(profile_id=profile_id, profile=profile))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Textbooks Conservateur", "textbooks-conservateur"),
        ("Livres d'été!", "livres-d-ete"),
        ("x" * 100, "x" * 64),
        ("a" * 63 + " b", "a" * 63),
    ],
)
def test_an_id_is_made_from_the_name(name: str, expected: str) -> None:
    assert created(name).id == expected


def test_a_name_that_gives_no_id_needs_one() -> None:
    with pytest.raises(Refusal) as refused:
        created("本")

    assert refused.value.violations[0].field == "profile_id"
    assert created("本", "hon").id == "hon"


@pytest.mark.parametrize("mask", [None, FieldMask()])
def test_without_a_path_in_the_mask_only_what_is_given_changes(mask: FieldMask | None) -> None:
    """A client that always sends a mask and names nothing in it has named nothing."""
    request = pb.UpdateProfileRequest(
        request_id=str(uuid4()),
        profile=pb.Profile(name="profiles/books", max_picks=5),
        update_mask=mask,
    )

    assert requests_profiles.change(request)(SAVED) == replace(SAVED, max_picks=5)


def test_a_mask_can_empty_a_field() -> None:
    """Without one, zero is what was never sent."""
    emptied = changed("max_picks", "minimum_roi_percent", "max_products", display_name="ignored")

    least = Thresholds(velocity=Decimal(70))
    assert emptied == replace(SAVED, max_picks=0, products=0, thresholds=least)


def test_a_filter_is_changed_as_a_whole() -> None:
    filters = discovery_pb.DiscoveryFilter(title="chess", max_results=50)

    assert changed(filter=filters) == replace(SAVED, criteria=Criteria(title="chess"))


@pytest.mark.parametrize("mask", ["filter.title", "display_name"])
def test_half_a_field_and_no_name_are_refused(mask: str) -> None:
    with pytest.raises(Refusal) as refused:
        changed(mask)

    assert refused.value.reason == "INVALID_FIELD"


def test_how_many_products_may_stand_in_the_filter() -> None:
    """Both fields say it; the profile's own one decides, and a later change of it counts."""
    filters = discovery_pb.DiscoveryFilter(max_results=50)

    one = created("Books", filter=filters)
    both = created("Books", filter=filters, max_products=30)

    assert filled(Spec(), one, Limits()).products == 50
    assert filled(Spec(), both, Limits()).products == 30
    assert filled(Spec(), replace(both, products=0), Limits()).products == 10


def test_an_etag_does_not_outlive_its_profile() -> None:
    """Deleted and made anew under the same id: an old etag must not fit."""
    again = replace(SAVED, created_at=NOW + timedelta(seconds=1))

    assert again.etag != SAVED.etag
