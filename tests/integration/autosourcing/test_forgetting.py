"""What is passed is forgotten in time, and never what somebody may still ask for."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.storage.forgetting import PostgresPast
from services.autosourcing.usecases.forgetting import KEPT
from services.chassis.sql import create_engine

pytestmark = pytest.mark.anyio


async def forget(service_database: Callable[[str], str]) -> int:
    """As the service's own role does it."""
    engine = create_engine(service_database("autosourcing"), application="test")
    gone = await PostgresPast(engine).forget(KEPT)
    await engine.dispose()
    return gone


async def test_old_requests_are_forgotten_but_never_one_that_made_a_job(
    world: Any, service_database: Callable[[str], str]
) -> None:
    """A year of decisions must not slow the next one; a job must not be made twice."""
    request = world.request()
    job = (await world.stub.CreateJob(request)).job
    profile = pb.Profile(display_name=f"Old {uuid4()}")
    made = pb.CreateProfileRequest(request_id=str(uuid4()), profile=profile)
    await world.stub.CreateProfile(made)
    await world.execute(
        "update autosourcing.requests set created_at = created_at - interval '31 days'"
    )

    gone = await forget(service_database)
    left = await world.execute("select id::text from autosourcing.requests")

    assert gone >= 1
    assert made.request_id not in {row["id"] for row in left}
    assert (await world.stub.CreateJob(request)).job.name == job.name


async def test_of_an_old_job_the_last_moment_stays(
    world: Any, service_database: Callable[[str], str]
) -> None:
    """Each change keeps a copy of its job; who watches later wants to know how it ended."""
    made = (await world.stub.CreateJob(world.request())).job
    ended = await world.ended(made.name)
    of_job = "where job_id = $1::text::uuid"
    job_id = made.name.removeprefix("jobs/")
    for table, instant in (("moments", "changed_at"), ("seen_products", "analyzed_at")):
        await world.execute(
            f"update autosourcing.{table} set {instant} = {instant} - interval '401 days' {of_job}",
            job_id,
        )

    await forget(service_database)
    moments = await world.execute(f"select sequence from autosourcing.moments {of_job}", job_id)
    seen = await world.execute(f"select from autosourcing.seen_products {of_job}", job_id)
    watched = [each async for each in world.stub.WatchJob(pb.WatchJobRequest(name=made.name))]

    assert len(moments) == 1
    assert seen == []
    assert [each.job.state for each in watched] == [ended.state]
    assert watched[0].picks
