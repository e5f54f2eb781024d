"""Watching a job: nothing is missed, nothing comes twice, wherever the watcher begins."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.autosourcing.v1 import events_pb2 as events

from services.autosourcing.storage.library import PostgresLibrary
from services.autosourcing.usecases.watching import Watching
from services.chassis import sql
from services.chassis.testing.refused import refusal

pytestmark = pytest.mark.anyio


async def watched(world: Any, name: str, after: int = 0) -> list[pb.WatchJobResponse]:
    """Everything that a watcher is told, to the end of the stream."""
    request = pb.WatchJobRequest(name=name, after_sequence=after)
    async with asyncio.timeout(40):
        return [change async for change in world.stub.WatchJob(request)]


def picks_of(changes: list[pb.WatchJobResponse]) -> list[str]:
    return [pick.name for change in changes for pick in change.picks]


async def test_a_watcher_is_told_every_change_in_order_until_the_end(world: Any) -> None:
    """A7: from the state at the start to the cost at the end, without a gap."""
    created = await world.create()
    world.budget.costs[created.envelope] = (21, 0)

    changes = await watched(world, created.name)

    sequences = [change.sequence for change in changes]
    assert sequences == list(range(sequences[0], sequences[-1] + 1))
    assert changes[-1].job.state == pb.JOB_STATE_COMPLETED
    assert changes[-1].job.token_count == 21
    assert len(picks_of(changes)) == len(set(picks_of(changes))) == 10


async def test_picks_come_before_the_job_ends(world: Any) -> None:
    """A7."""
    held: list[Any] = []

    def second_batch_late(event: Any) -> Any:
        if isinstance(event, events.ScoringRequested) and len(event.asins) != 5:
            held.append(event)
            return []
        if isinstance(event, events.ScoringRequested) and held:
            return []
        return world.discovery.usual(event)

    world.discovery.answer = second_batch_late
    world.discovery.found = tuple(f"B{number:09d}" for number in range(400, 416))
    created = await world.create(filter={"max_results": 16}, include_recently_seen=True)
    seen: list[Any] = []
    async with asyncio.timeout(40):
        async for change in world.stub.WatchJob(pb.WatchJobRequest(name=created.name)):
            seen.append(change)
            if change.picks:
                break

    assert len(picks_of(seen)) == 5
    assert seen[-1].job.state == pb.JOB_STATE_RUNNING


async def test_a_watcher_that_resumes_misses_nothing(world: Any) -> None:
    """A lost connection costs nothing: what came before and what comes after make the whole."""
    created = await world.create()
    ended = await world.ended(created.name)

    for break_at in range(1, ended.sequence + 1):
        resumed = await watched(world, created.name, after=break_at)

        sequences = [change.sequence for change in resumed]
        assert sequences == list(range(break_at, ended.sequence + 1))
        assert len(picks_of(resumed)) == 10


async def test_an_ended_job_is_told_in_one_message(world: Any) -> None:
    created = await world.create()
    await world.ended(created.name)

    changes = await watched(world, created.name)

    assert len(changes) == 1
    assert len(changes[0].picks) == 10


async def test_a_place_that_never_was_is_refused(world: Any) -> None:
    created = await world.create()

    ahead = pb.WatchJobRequest(name=created.name, after_sequence=999)
    unknown = pb.WatchJobRequest(name=f"jobs/{uuid4()}")

    assert (await refusal(world.stub.WatchJob(ahead))).reason == "INVALID_FIELD"
    assert (await refusal(world.stub.WatchJob(unknown))).reason == "JOB_NOT_FOUND"


async def test_many_watchers_see_the_same(world: Any) -> None:
    """One connection to the database serves them all."""
    created = await world.create()

    told = await asyncio.gather(*(watched(world, created.name) for _ in range(20)))

    assert {changes[-1].sequence for changes in told} == {told[0][-1].sequence}
    assert all(sorted(picks_of(changes)) == sorted(picks_of(told[0])) for changes in told)


async def test_a_reader_that_sleeps_too_long_is_sent_away_and_may_resume(
    world: Any, service_database: Any
) -> None:
    """A watcher's memory is bounded: it reads on from where it stopped, or not at all."""
    world.discovery.answer = lambda _: []
    created = await world.create()
    job_id = created.name.removeprefix("jobs/")
    engine = sql.create_engine(service_database("autosourcing"), application="test")
    watching = Watching(PostgresLibrary(engine), _Still(), most_behind=3)
    stream = watching.watch(_uuid(job_id), 0)
    first = await anext(stream)
    caught_up = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.1)

    await world.execute(
        "insert into autosourcing.moments (job_id, sequence, changed_at, document) "
        "select job_id, sequence + n, changed_at, "
        "jsonb_set(document, '{sequence}', to_jsonb(sequence + n)) "
        "from autosourcing.moments, generate_series(1, 5) n "
        "where job_id::text = $1 and sequence = $2",
        job_id,
        first.job.sequence,
    )
    refused = await refusal(caught_up)
    resumed = [moment async for moment in _some(watching.watch(_uuid(job_id), 2), 6)]
    # With moments that never were, it could not go on to an end of its own.
    await world.execute("delete from autosourcing.jobs where id::text = $1", job_id)

    assert refused.reason == "SLOW_READER"
    assert refused.facts == {"limit": 3}
    assert [moment.job.sequence for moment in resumed] == [2, 3, 4, 5, 6, 7]
    await engine.dispose()


class _Still:
    """A bell that never rings: only the clock wakes the watcher."""

    def heard(self) -> Any:
        return self

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def wait(self, _: float) -> None:
        await asyncio.sleep(0.3)


async def _some(stream: Any, count: int) -> Any:
    async for item in stream:
        yield item
        count -= 1
        if not count:
            return


def _uuid(text: str) -> Any:
    from uuid import UUID

    return UUID(text)
