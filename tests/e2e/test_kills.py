"""One running product and what goes wrong around it: each job ends, and nothing is paid twice.

Everything is real: PostgreSQL, NATS, the Keepa stand-in and the services are processes of their own.
The complete table, with two replicas of every service, is part of `make soak`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.discovery.v1 import discovery_pb2 as searches

from deploy.local.stack import SERVICES
from services.cli import audit
from services.cli.patience import LONG_PATIENCE_SECONDS, patiently, watch_job
from services.cli.stack import Stack as Client
from services.cli.stack import Targets, connect
from tests.chaos import points
from tests.chaos.points import Killer, Point
from tests.chaos.stack import Stack, running
from tests.support import http_client

# A lost answer is given up, and a dead worker's step taken over, after this long.
IMPATIENT = {
    "KEEPA_GATEWAY_PLAIN_SECONDS": "5",
    "DISCOVERY_STEP_LEASE_SECONDS": "2",
    "AUTOSOURCING_TIMEOUT_PER_JOB_SECONDS": "120",
}
# Of the same service one after the other would only wait for its restarts.
CHOSEN = tuple(
    points.ALL[name]
    for name in (
        "K6 budget, while its gateway's call is out",
        "K6 autosourcing, waiting for products",
        "K6 discovery, waiting for a search",
        "K4 the envelope held, the start not stored",
        "K6 gateway, a search sent and not answered",
        "K9 the answer paid and not stored",
        "K6 gateway, products sent and not answered",
    )
)

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Story:
    """What became of the job that ran into a kill: the last change, and all picks told."""

    killed: int
    job: pb.Job
    told: frozenset[str]


@dataclass(frozen=True)
class Stories:
    """All kills on one product."""

    client: Client
    before: audit.Reading
    told: dict[str, Story]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The product as `make up` starts it, with a tick of one second, far from a full bucket.

    A full one would hide that a call which was killed before it left has cost nothing: its bound
    is presumed then, and booked.
    """
    data = tmp_path_factory.mktemp("kills") / "data"
    with running(data, rate=20, balance=200, alone=True, **IMPATIENT) as up:
        yield up


@pytest.fixture(scope="module")
async def stories(stack: Stack) -> AsyncIterator[Stories]:
    """Kill at every moment in turn; what follows from one kill may overlap with the next."""
    targets = Targets(**{name: stack.targets(name)[0] for name in SERVICES})
    async with connect(targets) as client:
        before = await audit.read(client, stack.sandbox_url)
        tasks = {}
        for number, point in enumerate(CHOSEN):
            armed = asyncio.Event()
            strike = asyncio.create_task(Killer(stack).strike(point, armed))
            await armed.wait()
            tasks[point.name] = asyncio.create_task(run(client, number, strike))
            await strike
        yield Stories(client, before, {name: await task for name, task in tasks.items()})


async def run(client: Client, number: int, strike: asyncio.Task[int]) -> Story:
    """Run a search of its own whose every answer must be paid, and follow it to its end."""
    spec = pb.JobSpec(max_products=6, include_recently_seen=True, force_refresh=True)
    ranks = searches.RankRange(minimum=1_000 + number, maximum=200_000)
    spec.filter.CopyFrom(searches.DiscoveryFilter(category_ids=[283155], rank_range=ranks))
    request = pb.CreateJobRequest(request_id=str(uuid4()), spec=spec)
    answer = await patiently(
        lambda: client.autosourcing.CreateJob(request, timeout=5), seconds=LONG_PATIENCE_SECONDS
    )
    changes = [change async for change in watch_job(client, answer.job.name)]
    told = frozenset(pick.name for change in changes for pick in change.picks)
    return Story(await strike, changes[-1].job, told)


@pytest.mark.parametrize("point", CHOSEN, ids=lambda point: point.name)
async def test_a_job_outlives_the_death_of_any_service(stories: Stories, point: Point) -> None:
    """A5, A6, K2-K17: it completes by itself, and what was told of it is what is kept."""
    story = stories.told[point.name]

    assert story.killed >= 1
    assert story.job.state == pb.JOB_STATE_COMPLETED, story.job.message
    asked = pb.ListPicksRequest(job=story.job.name, page_size=1000)
    listed = await patiently(lambda: stories.client.autosourcing.ListPicks(asked))
    assert {pick.name for pick in listed.picks} == story.told


async def test_no_kill_costs_a_token_twice(stack: Stack, stories: Stories) -> None:
    """INV-4, INV-6, INV-12: the ledger, what Keepa charged and what the jobs tell agree."""
    compared = await audit.compare(stories.client, stack.sandbox_url, stories.before)

    assert compared.balanced, compared
    verdict = await stories.client.budget.VerifyLedger(budget.VerifyLedgerRequest())
    assert verdict.consistent, verdict.violations


async def test_a_429_ends_the_job_with_its_picks_and_without_another_call(
    stack: Stack, stories: Stories
) -> None:
    """INC-4: the loop that went on after a 429 took an account from 193 to -17 in a second."""
    # The first batch is answered; then Keepa says 429 three times, if anybody asks so often.
    limited = {"fault": "rate_limited", "path": "/product", "requests": 3, "skip": 1}
    await order(stack, limited | {"seconds": 120})
    asked = searches.DiscoveryFilter(
        category_ids=[283155], rank_range=searches.RankRange(minimum=500, maximum=200_000)
    )
    spec = pb.JobSpec(filter=asked, max_products=20, include_recently_seen=True, force_refresh=True)
    request = pb.CreateJobRequest(request_id=str(uuid4()), spec=spec)
    stub = stories.client.autosourcing

    answer = await patiently(lambda: stub.CreateJob(request), seconds=LONG_PATIENCE_SECONDS)
    changes = [change async for change in watch_job(stories.client, answer.job.name)]

    await order(stack, {"fault": "clear"})
    job = changes[-1].job
    assert job.state == pb.JOB_STATE_BUDGET_STOPPED, job.message
    assert job.analyzed_count == 5
    told = {pick.name for change in changes for pick in change.picks}
    assert len(told) == job.pick_count
    since = job.start_time.ToMilliseconds()
    calls = [line for line in await truth(stack) if line["arrived_ms"] >= since]
    paths = [line["path"] for line in calls if line["path"] != "/token"]
    assert paths == ["/query", "/product", "/product"]


async def order(stack: Stack, fault: dict[str, object]) -> None:
    """Tell the stand-in how to misbehave."""
    async with http_client() as client:
        answer = await client.post(f"{stack.sandbox_url}/_sandbox/faults", json=fault)
    answer.raise_for_status()


async def truth(stack: Stack) -> list[dict[str, Any]]:
    """Every request that Keepa saw, in the order of arrival."""
    async with http_client() as client:
        log = (await client.get(f"{stack.sandbox_url}/_sandbox/truth")).raise_for_status().text
    lines = [json.loads(line) for line in log.splitlines() if line]
    requests = [line for line in lines if line["kind"] == "request"]
    return sorted(requests, key=lambda line: line["arrived_ms"])
