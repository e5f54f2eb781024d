"""A job survives the death of the process that runs it, at every step, without a second payment."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc.aio
import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.autosourcing.v1 import autosourcing_pb2_grpc
from arbitragevault.autosourcing.v1 import events_pb2 as events

from deploy.local.ports import free_port
from services.autosourcing.settings import Settings
from services.chassis.rpc.client import create_channel

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]
ROOT = Path(__file__).resolve().parents[3]

# As `python -m services.autosourcing`, but what a dead process held is free after a second.
IMPATIENT = """
import runpy
from datetime import timedelta
from services.autosourcing.usecases import tending
from services.chassis.events import consumer
consumer.ACK_WAIT_SECONDS = 1.0
tending.LEASE = timedelta(seconds=1)
runpy.run_module("services.autosourcing", run_name="__main__")
"""


class Process:
    """The service as an operator runs it; killed as the kernel kills."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            IMPATIENT,
            cwd=ROOT,
            env=os.environ | self._environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def kill(self) -> None:
        """End it without a word."""
        if self._child is not None and self._child.returncode is None:
            self._child.kill()
            await self._child.wait()


@asynccontextmanager
async def process(world: Any, broker: str, url: str) -> AsyncIterator[tuple[Process, Any]]:
    """A process of its own on the world's database, and a stub to it."""
    port = free_port()
    child = Process(
        {
            "AUTOSOURCING_PORT": str(port),
            "AUTOSOURCING_DATABASE_URL": url,
            "NATS_URL": broker,
            "BUDGET_TARGET": world.peers,
            "DISCOVERY_TARGET": world.peers,
        }
    )
    async with create_channel(f"127.0.0.1:{port}", caller="test") as channel:
        try:
            yield child, autosourcing_pb2_grpc.AutoSourcingServiceStub(channel)
        finally:
            await child.kill()


async def finished(world: Any, name: str) -> None:
    await world.until(lambda: world.discovery.of(events.JobFinished, name))


@pytest.fixture
async def crashing(
    lone_world: Any, broker: str, service_database: Callable[[str], str]
) -> AsyncIterator[tuple[Any, Process, Any]]:
    async with process(lone_world, broker, service_database("autosourcing")) as (child, stub):
        await child.start()
        yield lone_world, child, stub


async def test_killed_while_its_tokens_are_asked_for(crashing: Any) -> None:
    """Between the two transactions: the sweeper repeats the same id and starts the job."""
    world, child, stub = crashing
    world.budget.stalled = asyncio.Event()
    request = world.request()
    call = asyncio.ensure_future(stub.CreateJob(request, wait_for_ready=True))
    await world.until(lambda: world.budget.asked)

    await child.kill()
    with pytest.raises(grpc.aio.AioRpcError):
        await call
    world.budget.stalled.set()
    await world.execute("update autosourcing.jobs set attend_at = now()")
    await child.start()
    listed = await stub.ListJobs(pb.ListJobsRequest(page_size=1), wait_for_ready=True)
    await finished(world, listed.jobs[0].name)
    again = await stub.CreateJob(request)

    assert again.job.name == listed.jobs[0].name
    assert again.job.pick_count == 10
    assert len(world.budget.held) == 1
    assert len(world.discovery.of(events.JobCreated, again.job.name)) == 1


async def test_killed_in_the_middle_of_a_job(crashing: Any) -> None:
    """Events wait for the process; each answer counts once."""
    world, child, stub = crashing
    kept: list[Any] = []

    def keep(event: Any) -> Any:
        if isinstance(event, events.ScoringRequested) and not kept:
            kept.append(world.discovery.scored(event))
            return []
        return world.discovery.usual(event)

    world.discovery.answer = keep
    created = (await stub.CreateJob(world.request(), wait_for_ready=True)).job
    await world.until(lambda: kept)

    await child.kill()
    await world.discovery.say(kept[0])
    await world.discovery.say(kept[0])
    await child.start()
    await finished(world, created.name)

    job = (await stub.GetJob(pb.GetJobRequest(name=created.name), wait_for_ready=True)).job
    assert job.state == pb.JOB_STATE_COMPLETED
    assert job.pick_count == 10
    assert len(world.discovery.of(events.PickFound, created.name)) == 10
    assert len(world.discovery.of(events.ScoringRequested, created.name)) == 2


async def test_killed_before_the_tokens_are_given_back(crashing: Any) -> None:
    """The end is stored; giving back the rest is repeated until budget confirms."""
    world, child, stub = crashing
    world.budget.silent_release = True
    created = (await stub.CreateJob(world.request(), wait_for_ready=True)).job
    await world.until(lambda: len(world.discovery.of(events.PickFound, created.name)) == 10)
    assert not world.discovery.of(events.JobFinished, created.name)

    await child.kill()
    world.budget.silent_release = False
    await child.start()
    await finished(world, created.name)

    assert world.budget.available == 1000
    assert len(world.discovery.of(events.JobFinished, created.name)) == 1


async def test_killed_again_and_again(crashing: Any) -> None:
    """Whenever it dies, the job ends once, with every pick once."""
    world, child, stub = crashing
    world.discovery.found = tuple(f"B{number:09d}" for number in range(60))
    request = world.request(filter={"max_results": 60}, include_recently_seen=True)
    created = (await stub.CreateJob(request, wait_for_ready=True)).job

    for pause in (0.02, 0.1, 0.3):
        await asyncio.sleep(pause)
        await child.kill()
        await child.start()
    await finished(world, created.name)

    job = (await stub.GetJob(pb.GetJobRequest(name=created.name), wait_for_ready=True)).job
    names = [event.pick.name for event in world.discovery.of(events.PickFound, created.name)]
    assert job.state == pb.JOB_STATE_COMPLETED
    assert job.pick_count == len(names) == len(set(names)) == 60
    assert len(world.discovery.of(events.JobFinished, created.name)) == 1


async def test_two_replicas_share_the_work_without_doing_it_twice(
    crashing: Any, broker: str, running_service: Callable[[Settings], Any], service_database: Any
) -> None:
    """Any number of replicas on one database and broker: claims and steps are taken once."""
    world, _child, stub = crashing
    settings = Settings(
        port=0,
        database_url=service_database("autosourcing"),
        nats_url=broker,
        budget_target=world.peers,
        discovery_target=world.peers,
    )
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(running_service(settings))
        second = autosourcing_pb2_grpc.AutoSourcingServiceStub(served.channel)
        stubs = (stub, second)
        answers = await asyncio.gather(
            *(
                stubs[number % 2].CreateJob(
                    world.request(request_id=str(uuid4())), wait_for_ready=True
                )
                for number in range(12)
            )
        )
        names = [answer.job.name for answer in answers]
        for name in names:
            await finished(world, name)

    assert world.budget.available == 1000
    for name in names:
        assert len(world.discovery.of(events.PickFound, name)) == 10
        assert len(world.discovery.of(events.JobFinished, name)) == 1
