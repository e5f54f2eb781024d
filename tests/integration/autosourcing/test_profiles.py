"""Profiles as people keep them, on the real database."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.testing.refused import refusal
from tests.support import avault_each

pytestmark = pytest.mark.anyio


def creation(profile_id: str = "", **values: Any) -> pb.CreateProfileRequest:
    values = {"display_name": f"Livres d'été {uuid4().hex[:8]}", "max_products": 20, **values}
    return pb.CreateProfileRequest(
        request_id=str(uuid4()), profile_id=profile_id, profile=pb.Profile(**values)
    )


def update(profile: pb.Profile, *mask: str) -> pb.UpdateProfileRequest:
    return pb.UpdateProfileRequest(
        request_id=str(uuid4()),
        profile=profile,
        update_mask=FieldMask(paths=mask) if mask else None,
    )


def deletion(profile: pb.Profile, etag: str = "") -> pb.DeleteProfileRequest:
    return pb.DeleteProfileRequest(request_id=str(uuid4()), name=profile.name, etag=etag)


async def test_a_profile_lives_from_its_making_to_its_end(world: Any) -> None:
    """A8: saved, read, used by an estimate, changed, deleted, gone."""
    ranks = discovery_pb.DiscoveryFilter(rank_range=discovery_pb.RankRange(maximum=9000))
    made = (
        await world.stub.CreateProfile(creation(filter=ranks, minimum_roi_percent=39.99))
    ).profile
    read = (await world.stub.GetProfile(pb.GetProfileRequest(name=made.name))).profile
    priced = await world.stub.EstimateJob(pb.EstimateJobRequest(spec=pb.JobSpec(profile=made.name)))
    asked = update(pb.Profile(name=made.name, etag=made.etag, max_products=30))
    changed = (await world.stub.UpdateProfile(asked)).profile
    await world.stub.DeleteProfile(deletion(made, changed.etag))

    assert made.name.startswith("profiles/livres-d-ete-")
    assert read == made
    assert (read.minimum_roi_percent, read.strategy) == (39.99, discovery_pb.STRATEGY_BALANCED)
    assert priced.estimated_token_count == 31
    assert (changed.max_products, changed.filter.rank_range.maximum) == (30, 9000)
    assert changed.HasField("update_time")
    gone = await refusal(world.stub.GetProfile(pb.GetProfileRequest(name=made.name)))
    assert gone.reason == "PROFILE_NOT_FOUND"


async def test_every_change_repeated_gives_its_first_answer(world: Any) -> None:
    """Also after the profile has gone: a retry is told what happened, not what is."""
    create = creation()
    racing = await asyncio.gather(*(world.stub.CreateProfile(create) for _ in range(4)))
    made = racing[0].profile
    change, delete = update(pb.Profile(name=made.name, max_picks=5)), deletion(made)
    changed = await world.stub.UpdateProfile(change)
    await asyncio.gather(*(world.stub.DeleteProfile(delete) for _ in range(4)))

    assert [each.profile for each in racing] == [made] * 4
    assert (await world.stub.UpdateProfile(change)) == changed
    assert (await world.stub.CreateProfile(create)).profile == made
    change.profile.max_picks = 6
    assert (await refusal(world.stub.UpdateProfile(change))).reason == "REQUEST_ID_REUSED"


async def test_an_id_that_is_taken_is_refused(world: Any) -> None:
    """One of two that ask at once gets it; a default is never written over."""
    taken = creation("niche-explorer")
    profile_id = f"new-{uuid4().hex[:8]}"

    both = [world.stub.CreateProfile(creation(profile_id)) for _ in range(2)]
    answers = await asyncio.gather(*both, return_exceptions=True)
    refused = await refusal(world.stub.CreateProfile(taken))

    assert sum(isinstance(answer, pb.CreateProfileResponse) for answer in answers) == 1
    assert refused.reason == "PROFILE_ALREADY_EXISTS"
    assert refused.resource == ("profile", "profiles/niche-explorer")


async def test_a_change_over_an_older_state_is_refused(world: Any) -> None:
    """Neither a change nor an end; nor does an etag outlive its profile under the same id."""
    made = (await world.stub.CreateProfile(creation())).profile
    await world.stub.UpdateProfile(update(pb.Profile(name=made.name, max_picks=5)))

    late = pb.Profile(name=made.name, etag=made.etag, max_picks=6)
    refused = await refusal(world.stub.UpdateProfile(update(late)))
    kept = await refusal(world.stub.DeleteProfile(deletion(made, made.etag)))

    assert (refused.reason, kept.reason) == ("ETAG_MISMATCH", "ETAG_MISMATCH")
    present = (await world.stub.GetProfile(pb.GetProfileRequest(name=made.name))).profile
    assert (present.max_picks, present.etag) == (5, refused.facts["etag"])


async def test_what_never_was_is_not_changed_and_not_deleted(world: Any) -> None:
    nobody = pb.Profile(name="profiles/nobody", max_picks=1)

    for call in (
        world.stub.UpdateProfile(update(nobody)),
        world.stub.DeleteProfile(deletion(nobody)),
    ):
        assert (await refusal(call)).reason == "PROFILE_NOT_FOUND"


async def test_a_profile_and_its_schedule_live_in_the_terminal(world: Any) -> None:
    """A8: made, changed, used by a schedule, and not deleted under it."""
    named = f"terminal-{uuid4().hex[:8]}"
    far_hour = str((datetime.now(UTC).hour + 12) % 24)  # No job starts while we look.
    made, changed, listed, planned, review, best, stats = await avault_each(
        ("profiles", "add", "Patient", "--id", named, "--rank-max", "900", "--min-roi", "25"),
        ("profiles", "change", named, "--max-picks", "3", "--rank-min", "5", "--json"),
        ("profiles", "list", "--json"),
        ("schedules", "add", "--profile", named, "--hour", far_hour, "--json"),
        ("review", "--json"),
        ("opportunity", "--json"),
        ("stats", "--json"),
        autosourcing=world.address,
    )
    schedule = planned.answers[0]["name"]

    moved, shown, kept, over, gone, unknown = await avault_each(
        ("schedules", "change", schedule, "--time-zone", "Europe/Paris", "--skip", "2031-01-02"),
        ("schedules", "show", schedule, "--json"),
        ("profiles", "delete", named),
        ("schedules", "delete", schedule),
        ("profiles", "delete", named),
        ("profiles", "show", named),
        autosourcing=world.address,
    )

    assert made.code == 0
    (profile,) = changed.answers
    assert profile["filter"]["rankRange"] == {"minimum": 5, "maximum": 900}
    assert (profile["minimumRoiPercent"], profile["maxPicks"]) == (25, 3)
    assert profile in listed.answers
    assert [said.code for said in (review, best, stats, moved)] == [0, 0, 0, 0]
    (plan,) = shown.answers
    assert plan["spec"]["profile"] == f"profiles/{named}"
    assert (plan["timeZone"], plan["skipDates"]) == ("Europe/Paris", ["2031-01-02"])
    assert (kept.code, schedule in kept.err) == (1, True)
    assert (over.code, gone.code, unknown.code) == (0, 0, 1)
