"""Callers that keep the product busy and remember every word it gave them."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

import grpc
import grpc.aio
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as jobs
from arbitragevault.autosourcing.v1.autosourcing_pb2_grpc import AutoSourcingServiceStub
from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceStub
from arbitragevault.discovery.v1 import discovery_pb2 as searches
from arbitragevault.discovery.v1.discovery_pb2_grpc import DiscoveryServiceStub
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as gateway
from arbitragevault.keepa_gateway.v1.keepa_gateway_pb2_grpc import KeepaGatewayServiceStub
from google.protobuf.duration_pb2 import Duration

from services.chassis.rpc.client import create_channel
from tests.chaos.stack import Stack

STUBS = {
    "budget": BudgetServiceStub,
    "keepa_gateway": KeepaGatewayServiceStub,
    "discovery": DiscoveryServiceStub,
    "autosourcing": AutoSourcingServiceStub,
}
PATIENCE_SECONDS = 60.0
PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
UNPLANNED = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
JOBS_AT_ONCE = 5
SEARCHERS = 3


@dataclass
class Watched:
    """What one caller saw of a job."""

    sequences: list[int] = field(default_factory=list)
    picks: set[str] = field(default_factory=set)
    finished: bool = False


class Clients:
    """Stubs of both replicas of every service."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._closing = AsyncExitStack()
        self._stubs: dict[str, list[Any]] = {}

    async def __aenter__(self) -> Self:
        for service, stub in STUBS.items():
            channels = [create_channel(to, caller="chaos") for to in self._stack.targets(service)]
            for channel in channels:
                await self._closing.enter_async_context(channel)
            self._stubs[service] = [stub(channel) for channel in channels]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    def of(self, service: str, replica: int) -> Any:
        """Return the stub of one replica."""
        return self._stubs[service][replica % 2]


class Load:
    """Runs jobs and searches until told to stop.

    Attributes:
        acknowledged: The job each create request was answered with.
        strange: What no caller should ever be told.
    """

    def __init__(self, clients: Clients, rng: random.Random, asins: list[str]) -> None:
        self._clients = clients
        self._rng = rng
        self._asins = asins
        self.stopping = False
        self.counts: Counter[str] = Counter()
        self.acknowledged: dict[str, str] = {}
        self.watched: dict[str, Watched] = {}
        self.strange: list[str] = []

    async def run(self) -> None:
        """Keep several callers going; ends when all have ended."""
        async with asyncio.TaskGroup() as group:
            for _ in range(JOBS_AT_ONCE):
                group.create_task(self._run_jobs())
            for _ in range(SEARCHERS):
                group.create_task(self._search())

    async def _run_jobs(self) -> None:
        while not self.stopping:
            await asyncio.sleep(self._rng.uniform(0, 1.0))
            await self._one_job()

    async def _one_job(self) -> None:
        request = jobs.CreateJobRequest(request_id=self._uuid(), spec=self._spec())
        if self._rng.random() < 0.5:
            request.max_wait_duration.FromTimedelta(timedelta(seconds=self._rng.randint(1, 20)))
        await self.follow(request, cancel=self._rng.random() < 0.1)

    async def follow(self, request: jobs.CreateJobRequest, *, cancel: bool = False) -> bool:
        """Make a job and watch it to its end, perhaps cancelled; False when it is refused."""
        answer = await self._persist(
            "autosourcing", lambda stub: stub.CreateJob(request, timeout=10), "CreateJob"
        )
        if answer is None:
            return False
        name = answer.job.name
        self.counts["jobs"] += 1
        self.acknowledged[request.request_id] = name
        if self._rng.random() < 0.3:
            again = await self._persist(
                "autosourcing", lambda stub: stub.CreateJob(request, timeout=10), "CreateJob"
            )
            if again is not None and again.job.name != name:
                self.strange.append(f"{request.request_id} made {name} and {again.job.name}")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(name))
            if cancel:
                group.create_task(self._cancel(name))
        return True

    async def _cancel(self, name: str) -> None:
        await asyncio.sleep(self._rng.uniform(0, 4))
        request = jobs.CancelJobRequest(request_id=self._uuid(), name=name)
        await self._persist(
            "autosourcing", lambda stub: stub.CancelJob(request, timeout=10), "CancelJob"
        )

    async def _watch(self, name: str) -> None:
        """Follow to the end, resuming at the other replica after every break."""
        seen = self.watched[name] = Watched()
        replica = self._rng.randint(0, 1)
        until = asyncio.get_running_loop().time() + PATIENCE_SECONDS * 2
        while not seen.finished and asyncio.get_running_loop().time() < until:
            after = seen.sequences[-1] if seen.sequences else 0
            request = jobs.WatchJobRequest(name=name, after_sequence=after)
            try:
                stub = self._clients.of("autosourcing", replica)
                async for change in stub.WatchJob(request, timeout=15):
                    if change.sequence > after or not seen.sequences:
                        seen.sequences.append(change.sequence)
                    seen.picks |= {pick.name for pick in change.picks}
                    seen.finished = change.job.HasField("end_time")
            except grpc.aio.AioRpcError as error:
                self._note(error, "WatchJob")
                replica += 1
                await asyncio.sleep(0.3)

    async def _search(self) -> None:
        while not self.stopping:
            await asyncio.sleep(self._rng.uniform(0, 1.0))
            if self._rng.random() < 0.5:
                await self._discover()
            else:
                await self._score()

    async def _discover(self) -> None:
        request = searches.DiscoverScoredProductsRequest(
            request_id=self._uuid(), filter=self._filter(), spending=self._spending()
        )
        request.filter.max_results = self._rng.randint(1, 12)
        request.force_refresh = self._rng.random() < 0.3
        await self._persist(
            "discovery",
            lambda stub: stub.DiscoverScoredProducts(request, timeout=12),
            "DiscoverScoredProducts",
            seconds=20.0,
        )
        self.counts["searches"] += 1

    async def _score(self) -> None:
        request = searches.ScoreProductsRequest(
            request_id=self._uuid(),
            asins=self._rng.sample(self._asins, self._rng.randint(1, 20)),
            force_refresh=self._rng.random() < 0.3,
            spending=self._spending(),
        )

        async def call(stub: Any) -> bool:
            async for _ in stub.ScoreProducts(request, timeout=12):
                pass
            return True

        await self._persist("discovery", call, "ScoreProducts", seconds=20.0)
        self.counts["scorings"] += 1

    async def _persist(
        self,
        service: str,
        call: Callable[[Any], Awaitable[Any]],
        what: str,
        *,
        seconds: float = PATIENCE_SECONDS,
    ) -> Any:
        """Repeat a call with the same id, at either replica, until it is answered or refused."""
        clock = asyncio.get_running_loop().time
        until, replica = clock() + seconds, self._rng.randint(0, 1)
        while clock() < until:
            try:
                return await call(self._clients.of(service, replica))
            except grpc.aio.AioRpcError as error:
                self._note(error, what)
                if error.code() not in PASSING:
                    return None
                replica += self._rng.randint(0, 1)
                await asyncio.sleep(0.3)
        self.counts[f"{what} given up"] += 1
        return None

    def _note(self, error: grpc.aio.AioRpcError, what: str) -> None:
        self.counts[f"{what} {error.code().name}"] += 1
        if error.code() in UNPLANNED:
            self.strange.append(f"{what}: {error.code().name} {error.details()}")

    def _spec(self) -> jobs.JobSpec:
        spec = jobs.JobSpec(max_products=self._rng.randint(1, 40))
        spec.include_recently_seen = self._rng.random() < 0.8
        spec.force_refresh = self._rng.random() < 0.3
        if self._rng.random() < 0.4:
            chosen = self._rng.sample(self._asins, self._rng.randint(1, 40))
            spec.identifiers.extend(jobs.Identifier(value=asin, buy_cents=300) for asin in chosen)
        else:
            spec.filter.CopyFrom(self._filter())
        return spec

    def _filter(self) -> searches.DiscoveryFilter:
        low = self._rng.randint(1, 40) * 1_000
        return searches.DiscoveryFilter(
            category_ids=[283155],
            rank_range=searches.RankRange(minimum=low, maximum=low + 60_000),
        )

    def _spending(self) -> gateway.Spending:
        wait = Duration(seconds=self._rng.choice((0, 0, 5)))
        return gateway.Spending(max_wait_duration=wait)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
