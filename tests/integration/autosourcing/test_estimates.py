"""What a job is said to cost, when it may start, and what a refused one leaves behind."""

from typing import Any
from uuid import uuid4

import grpc.aio
import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.autosourcing.v1 import events_pb2 as events
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb

from services.chassis.testing.refused import refusal

pytestmark = pytest.mark.anyio


async def estimate(world: Any, **spec: Any) -> pb.EstimateJobResponse:
    spec = {"filter": discovery_pb.DiscoveryFilter(), "max_products": 10, **spec}
    answer: pb.EstimateJobResponse = await world.stub.EstimateJob(
        pb.EstimateJobRequest(spec=pb.JobSpec(**spec))
    )
    return answer


def stored(products: int, cached: int) -> discovery_pb.EstimateDiscoveryResponse:
    return discovery_pb.EstimateDiscoveryResponse(
        search_cached=True,
        product_token_count=products,
        most_token_count=products,
        cached_count=cached,
    )


async def test_a_stored_search_is_priced_by_what_is_stored_of_it(world: Any) -> None:
    """A2: of ten products four are stored, and the search costs nothing."""
    world.discovery.priced = stored(products=6, cached=4)

    answer = await estimate(world, include_recently_seen=True)

    assert (answer.estimated_token_count, answer.cached_count) == (6, 4)
    assert world.discovery.asked.scored_count == 10


async def test_where_others_may_take_the_places_all_of_the_list_counts(world: Any) -> None:
    """A2, A4: products seen lately make room for ones that may have to be paid."""
    world.discovery.priced = stored(products=3, cached=97)
    cheap = await estimate(world)
    world.discovery.priced = stored(products=60, cached=40)
    dear = await estimate(world)

    assert world.discovery.asked.scored_count == 100
    assert (cheap.estimated_token_count, cheap.cached_count) == (3, 7)
    assert (dear.estimated_token_count, dear.cached_count) == (10, 0)


async def test_a_job_of_stored_products_alone_needs_no_tokens(world: Any) -> None:
    """A2: an estimate of 0 needs no envelope and no gate."""
    world.discovery.priced = stored(products=0, cached=10)
    world.budget.available = 0

    job = await world.create(filter=discovery_pb.DiscoveryFilter(), include_recently_seen=True)
    ended = await world.ended(job.name)

    assert ended.state == pb.JOB_STATE_COMPLETED
    assert not world.budget.asked


async def test_the_first_message_of_a_queued_job_says_when_it_starts(world: Any) -> None:
    """A2, A7: a person who queues wants to know for how long."""
    world.budget.available = 20
    job = await world.create(wait=600)

    watch = world.stub.WatchJob(pb.WatchJobRequest(name=job.name))
    change = await watch.read()
    watch.cancel()

    assert change.job.state == pb.JOB_STATE_PENDING
    assert change.job.expected_start_time == job.expected_start_time
    assert change.job.HasField("expected_start_time")


async def test_tokens_of_a_refused_job_come_back_at_once(world: Any) -> None:
    """A5: budget held them, its answer was lost, and the caller does not ask again."""
    world.budget.forgets_to_answer = world.budget.silent_release = True
    await refusal(world.create())
    assert world.budget.available < 1000
    world.budget.forgets_to_answer = world.budget.silent_release = False

    await world.until(lambda: world.budget.available == 1000)

    assert world.budget.released


async def test_a_refused_job_that_is_asked_for_again_has_an_envelope_of_its_own(
    world: Any,
) -> None:
    """A5: the one that is being given back must not be the one that the job draws on."""
    request = world.request(request_id=str(uuid4()))
    world.budget.forgets_to_answer = True
    with pytest.raises(grpc.aio.AioRpcError):
        await world.stub.CreateJob(request)
    world.budget.forgets_to_answer = False
    abandoned = {held.name for held in world.budget.held.values()}

    job = (await world.stub.CreateJob(request)).job
    ended = await world.ended(job.name)

    assert ended.state == pb.JOB_STATE_COMPLETED
    assert ended.envelope not in abandoned
    await world.until(lambda: abandoned < set(world.budget.released))
    assert world.budget.available == 1000


async def test_each_question_says_what_must_be_left_for_the_next_ones(world: Any) -> None:
    """Design 6.5: a second look at offers spends only what the first pass does not need."""
    job = await world.create(
        filter=discovery_pb.DiscoveryFilter(), max_products=12, include_recently_seen=True
    )
    await world.ended(job.name)

    asked = world.discovery.of(events.ScoringRequested, job.name)

    assert [(len(each.asins), each.kept_token_count) for each in asked] == [(5, 7), (7, 0)]
