"""Who is slow to start a job meets who was quicker, and the two agree on what became of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.autosourcing.api import responses_jobs, responses_specs
from services.autosourcing.clients.budget import GrpcBudget
from services.autosourcing.clients.discovery import GrpcDiscovery
from services.autosourcing.domain.job import Job, State
from services.autosourcing.domain.limits import Limits
from services.autosourcing.domain.schedule import DecidedSlot, Schedule, SlotOutcome
from services.autosourcing.domain.spec import Criteria, Spec
from services.autosourcing.events.announce import Announcing, Messages
from services.autosourcing.ports import Grant, Request
from services.autosourcing.storage.library import PostgresLibrary
from services.autosourcing.storage.schedules import PostgresRota
from services.autosourcing.storage.work import PostgresJobs
from services.autosourcing.usecases.launching import Launching
from services.autosourcing.usecases.planning import Planning
from services.autosourcing.usecases.schedules import Schedules
from services.autosourcing.usecases.starting import Starting
from services.chassis.errors import Kind, Refusal
from services.chassis.rpc.client import create_channel
from services.chassis.sql import create_engine

pytestmark = pytest.mark.anyio
SPEC = Spec(criteria=Criteria(), include_recent=True)
Meanwhile = Callable[[], Awaitable[object]]


class HangingDiscovery(GrpcDiscovery):
    """Discovery, before whose estimate this replica hangs as long as something else takes."""

    meanwhile: Meanwhile | None = None

    async def estimate_search(self, spec: Spec, wanted: int) -> Any:
        """Hang first."""
        if self.meanwhile is not None:
            await self.meanwhile()
        return await super().estimate_search(spec, wanted)


class OvertakenBudget(GrpcBudget):
    """Budget, whose answer to this replica was decided before something else happened."""

    meanwhile: Meanwhile | None = None

    async def reserve(
        self, job: Job, *, tokens: int, gate: int, hold: timedelta, wait: timedelta
    ) -> Grant:
        """Refuse, when something happens before the answer is here."""
        if self.meanwhile is None:
            return await super().reserve(job, tokens=tokens, gate=gate, hold=hold, wait=wait)
        await self.meanwhile()
        raise Refusal(Kind.RESOURCE_EXHAUSTED, "INSUFFICIENT_TOKENS", "Not enough tokens.")


@dataclass
class Replica:
    """As much of the service as makes jobs."""

    world: Any
    rota: PostgresRota
    jobs: PostgresJobs
    library: PostgresLibrary
    discovery: HangingDiscovery
    budget: OvertakenBudget
    launching: Launching

    @classmethod
    def of(cls, world: Any, engine: AsyncEngine, peers: Any) -> "Replica":
        """Wire it as app.py does."""
        announcing = Announcing(
            Messages(responses_jobs.job, responses_jobs.pick, responses_specs.filter_of)
        )
        jobs = PostgresJobs(engine, announcing)
        discovery = HangingDiscovery(peers, responses_specs.filter_of)
        budget, limits = OvertakenBudget(peers), Limits()
        launching = Launching(jobs, budget, Planning(jobs, discovery, budget, limits), limits)
        rota, library = PostgresRota(engine, announcing), PostgresLibrary(engine)
        return cls(world, rota, jobs, library, discovery, budget, launching)

    async def start_slots(self) -> None:
        """Start what has come, and what another replica has had for longer than its lease."""
        await self.world.execute(
            "update autosourcing.slots set attend_at = now() where attend_at is not null"
        )
        await Starting(self.rota, self.launching).start()

    async def slot(self, schedule: Schedule) -> DecidedSlot:
        """Read the one slot of a schedule; it must have been decided."""
        found = await self.rota.schedule(schedule.id, 2)
        assert found is not None
        (slot,) = found[1]
        return slot

    async def all_jobs(self) -> list[Job]:
        """Read every job there is."""
        return list((await self.library.jobs(None, None, 10)).items)


@pytest.fixture
async def replicas(
    lone_world: Any, service_database: Callable[[str], str]
) -> AsyncIterator[tuple[Replica, Replica]]:
    """Two of them on one database, without any job."""
    async with AsyncExitStack() as stack:
        engine = create_engine(service_database("autosourcing"), application="test")
        stack.push_async_callback(engine.dispose)
        peers = await stack.enter_async_context(create_channel(lone_world.peers, caller="test"))
        await lone_world.execute("truncate autosourcing.jobs, autosourcing.schedules cascade")
        yield Replica.of(lone_world, engine, peers), Replica.of(lone_world, engine, peers)


async def due(replica: Replica) -> Schedule:
    """Make a schedule of which one slot comes now."""
    now = datetime.now(UTC)
    draft = Schedule(uuid4(), SPEC, hours=(3,), created_at=now, looked_until=now, caller="test")
    made = await Schedules(replica.rota).create(Request(uuid4(), b"schedule"), draft)
    await replica.world.execute(
        """insert into autosourcing.slots values ($1::text::uuid, '2026-01-05', 3,
           clock_timestamp(), true, 'STARTING', '', null, clock_timestamp(), clock_timestamp())""",
        str(made.id),
    )
    return made


@pytest.mark.parametrize(
    ("balance", "late", "reason"),
    [(20, 0, "INSUFFICIENT_TOKENS: "), (1000, 11, "It could only start ")],
    ids=["refused", "late"],
)
async def test_a_slot_that_was_skipped_while_its_starter_hung_starts_no_job(
    replicas: tuple[Replica, Replica], balance: int, late: int, reason: str
) -> None:
    """A8: a slot is a job or a recorded miss; a job that nobody recorded spends unseen."""
    slow, quick = replicas
    schedule = await due(slow)

    async def overtaken() -> None:
        slow.world.budget.available = balance
        await slow.world.execute(
            "update autosourcing.slots set slot_at = slot_at - make_interval(mins => $1)", late
        )
        await quick.start_slots()
        slow.world.budget.available = 1000

    slow.discovery.meanwhile = overtaken
    await slow.start_slots()

    slot = await slow.slot(schedule)
    assert (slot.decision.outcome, slot.job_id) == (SlotOutcome.SKIPPED, None)
    assert slot.decision.reason.startswith(reason)
    assert await slow.all_jobs() == []


async def launched_by(quick: Replica) -> None:
    """Have the only job that waits for its tokens started by whoever tends the jobs."""
    (pending,) = await quick.all_jobs()
    await quick.launching.launch(pending)


async def test_a_slot_whose_job_another_has_started_is_not_skipped(
    replicas: tuple[Replica, Replica],
) -> None:
    """A8, the other way round: who is refused may have been overtaken by who was granted."""
    slow, quick = replicas
    schedule = await due(slow)
    slow.budget.meanwhile = partial(launched_by, quick)

    await slow.start_slots()

    slot, (job,) = await slow.slot(schedule), await slow.all_jobs()
    assert (slot.decision.outcome, slot.job_id) == (SlotOutcome.STARTED, job.id)
    assert job.state is State.RUNNING


async def test_who_is_refused_is_told_of_the_job_that_runs_all_the_same(
    replicas: tuple[Replica, Replica],
) -> None:
    """A6: `refused` must mean that nothing is spent; whoever tends jobs had started this one."""
    slow, quick = replicas
    slow.budget.meanwhile = partial(launched_by, quick)

    told = await slow.launching.create(Request(uuid4(), b"job"), SPEC, caller="test")

    assert told.state is State.RUNNING
    assert [job.id for job in await slow.all_jobs()] == [told.id]
