"""Jobs on the real budget: what the ledger says of an envelope is what a job says it cost."""

# ruff: noqa: ASYNC110, D102 - the names say it

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.autosourcing.v1 import autosourcing_pb2_grpc
from arbitragevault.autosourcing.v1 import events_pb2 as events
from arbitragevault.budget.v1 import budget_pb2 as budget_pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb

from services.autosourcing.settings import Settings
from services.autosourcing.usecases import tending
from tests.contract.budget.support import Service, budget, commit, reserve
from tests.support import refusal

pytestmark = pytest.mark.anyio


@dataclass
class Ledger:
    """AutoSourcing between the real budget and a discovery that obeys the test."""

    world: Any
    budget: Service
    stub: Any

    async def create(self, wait: float = 0) -> pb.Job:
        return (await self.stub.CreateJob(self.world.request(wait))).job

    async def ended(self, name: str) -> pb.Job:
        await self.world.until(lambda: self.world.discovery.of(events.JobFinished, name))
        return (await self.stub.GetJob(pb.GetJobRequest(name=name))).job

    async def spend(self, envelope: str, tokens: int) -> None:
        """Do what the gateway does for one call within the envelope."""
        held = await self.budget.reserve(tokens, parent=envelope)
        await self.budget.stub.CommitReservation(commit(held, tokens))

    async def envelope(self, name: str) -> budget_pb.Reservation:
        request = budget_pb.GetReservationRequest(name=name)
        return (await self.budget.stub.GetReservation(request)).reservation


@pytest.fixture
async def ledger(
    lone_world: Any,
    broker: str,
    running_service: Callable[[Settings], Any],
    service_database: Callable[[str], str],
    fresh_service_database: Callable[[str], str],
) -> AsyncIterator[Ledger]:
    async with budget(fresh_service_database("budget")) as real:
        settings = Settings(
            port=0,
            database_url=service_database("autosourcing"),
            nats_url=broker,
            budget_target=real.served.address,
            discovery_target=lone_world.peers,
        )
        async with running_service(settings) as served:
            stub = autosourcing_pb2_grpc.AutoSourcingServiceStub(served.channel)
            yield Ledger(lone_world, real, stub)


async def test_a_job_costs_what_its_calls_cost(ledger: Ledger) -> None:
    """T7, A10: the children of the envelope are the job's tokens; the rest goes back."""
    await ledger.budget.report(300)
    asked: list[Any] = []
    ledger.world.discovery.answer = lambda event: asked.append(event) or []
    created = await ledger.create()
    await ledger.world.until(lambda: len(asked) >= 2)

    held = await ledger.budget.account()
    await ledger.spend(created.envelope, 11)
    await ledger.spend(created.envelope, 5)
    ledger.world.discovery.answer = None
    ledger.world.discovery.found = ()
    for event in asked:
        for answer in ledger.world.discovery.usual(event):
            await ledger.world.discovery.say(answer)
    job = await ledger.ended(created.name)

    account = await ledger.budget.account()
    assert held.available_token_count == 300 - 32
    assert (job.token_count, job.unsettled_token_count) == (16, 0)
    assert account.available_token_count == 300 - 16
    assert account.held_token_count == 0
    assert (await ledger.envelope(job.envelope)).state == budget_pb.RESERVATION_STATE_RELEASED


async def test_a_closed_gate_is_told_with_budgets_exact_wait(ledger: Ledger) -> None:
    """T8, A3: the numbers are budget's, and the wait is to a tick, not a constant."""
    await ledger.budget.report(30)

    refused = await refusal(ledger.create())

    assert refused.reason == "INSUFFICIENT_TOKENS"
    assert refused.domain == "autosourcing.arbitragevault"
    assert refused.facts["deficit"] == 20
    assert refused.retry_after is not None
    assert timedelta(seconds=55) < refused.retry_after < timedelta(seconds=62)
    assert (await ledger.budget.account()).held_token_count == 0


async def test_a_balance_that_was_never_seen_starts_nothing(ledger: Ledger) -> None:
    """T5: fail closed, and say so in the estimate."""
    refused = await refusal(ledger.create())
    spec = pb.JobSpec(filter=discovery_pb.DiscoveryFilter())
    estimate = await ledger.stub.EstimateJob(pb.EstimateJobRequest(spec=spec))

    assert refused.reason == "BALANCE_UNKNOWN"
    assert not estimate.balance_known
    assert not estimate.safe_to_proceed


async def test_a_queued_job_starts_when_tokens_come(ledger: Ledger) -> None:
    """The job waits in budget's own queue, where nothing smaller can pass it for ever."""
    await ledger.budget.report(30)
    ledger.world.discovery.found = ()

    created = await ledger.create(wait=60)
    await ledger.budget.report(300)
    await ledger.budget.report(300)  # A gain is believed when it is seen twice.
    job = await ledger.ended(created.name)

    assert created.state == pb.JOB_STATE_PENDING
    assert job.state == pb.JOB_STATE_COMPLETED


async def test_a_job_cancelled_in_the_queue_leaves_nothing_behind_at_budget(
    ledger: Ledger,
) -> None:
    """INV-3: the name by which the envelope is given back is the one that budget gave it."""
    await ledger.budget.report(30)

    created = await ledger.create(wait=60)
    while not (await ledger.budget.account()).waiting_count:
        await asyncio.sleep(0.01)
    cancel = pb.CancelJobRequest(request_id=str(uuid4()), name=created.name)
    await ledger.stub.CancelJob(cancel)
    job = await ledger.ended(created.name)
    await ledger.budget.report(300)
    await ledger.budget.report(300)

    account = await ledger.budget.account()
    assert job.state == pb.JOB_STATE_CANCELLED
    assert account.waiting_count == 0
    assert account.held_token_count == 0


async def test_the_end_of_a_job_cancelled_in_the_queue_is_told_within_its_lease(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A7: whoever watches must not wait for a lease that nobody needs."""
    monkeypatch.setattr(tending, "LEASE", timedelta(seconds=15))
    await ledger.budget.report(30)
    created = await ledger.create(wait=60)
    while not (await ledger.budget.account()).waiting_count:
        await asyncio.sleep(0.01)

    async with asyncio.timeout(14):  # It takes a third of the lease, and room for a stall.
        cancel = pb.CancelJobRequest(request_id=str(uuid4()), name=created.name)
        await ledger.stub.CancelJob(cancel)
        async for moment in ledger.stub.WatchJob(pb.WatchJobRequest(name=created.name)):
            last = moment.job

    assert last.state == pb.JOB_STATE_CANCELLED


async def test_what_a_stopped_jobs_last_call_cost_is_told_when_it_is_known(
    ledger: Ledger,
) -> None:
    """A call in flight at the end of a job is charged to it, whenever its cost comes in."""
    await ledger.budget.report(300)
    ledger.world.discovery.answer = lambda _: []
    created = await ledger.create()
    held = await ledger.budget.reserve(11, parent=created.envelope)
    await ledger.stub.CancelJob(pb.CancelJobRequest(request_id=str(uuid4()), name=created.name))
    ended = await ledger.ended(created.name)

    await ledger.budget.stub.CommitReservation(commit(held, 11))
    await ledger.world.execute("update autosourcing.jobs set attend_at = now()")
    await _until_cost(ledger, created.name, 11)

    assert ended.state == pb.JOB_STATE_CANCELLED
    assert (await ledger.envelope(created.envelope)).committed_token_count == 11


async def test_a_draw_after_the_end_is_refused(ledger: Ledger) -> None:
    """The envelope is the fence: a job that ended spends nothing more."""
    await ledger.budget.report(300)
    ledger.world.discovery.answer = lambda _: []
    created = await ledger.create()
    await ledger.stub.CancelJob(pb.CancelJobRequest(request_id=str(uuid4()), name=created.name))
    await ledger.ended(created.name)

    refused = await refusal(ledger.budget.stub.ReserveTokens(reserve(1, parent=created.envelope)))

    assert refused.reason == "RESERVATION_ENDED"


async def _until_cost(ledger: Ledger, name: str, tokens: int) -> None:
    import asyncio

    async with asyncio.timeout(40):
        while (await ledger.stub.GetJob(pb.GetJobRequest(name=name))).job.token_count != tokens:
            await asyncio.sleep(0.05)
