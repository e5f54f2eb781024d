"""Discovery with everything real around it: Keepa's stand-in, budget, the gateway, NATS."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from arbitragevault.autosourcing.v1 import events_pb2 as job_events
from arbitragevault.budget.v1 import budget_pb2, budget_pb2_grpc
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2_grpc
from arbitragevault.discovery.v1 import events_pb2 as events
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from nats.js import JetStreamContext

from deploy.sandbox.account import Account
from deploy.sandbox.app import build as build_sandbox
from deploy.sandbox.bucket import Bucket
from deploy.sandbox.catalogue.generated import GeneratedCatalogue
from deploy.sandbox.clock import Clock
from deploy.sandbox.keepa_time import minute_of
from deploy.sandbox.server import serving
from deploy.sandbox.truth import TruthLog
from services.budget import app as budget_app
from services.budget.settings import Settings as BudgetSettings
from services.chassis import sql
from services.chassis.cancelling import end
from services.chassis.clock import SystemClock
from services.chassis.events import nats
from services.chassis.events.publisher import Outgoing, Publisher
from services.chassis.loops import supervise
from services.chassis.service import Service
from services.chassis.testing import Served, serve
from services.discovery import app
from services.discovery.settings import Settings
from services.keepa_gateway import app as gateway_app
from services.keepa_gateway.settings import Settings as GatewaySettings
from tests.support import http_client, until

ROOT = Path(__file__).parents[3]
KEY = "k" * 64
RATE = 200
TICK_MS = 60_200


class Obliging(random.Random):
    """Lets Keepa's stand-in read every offer it is asked for; 3 in 100 fail of themselves there."""

    def random(self) -> float:
        """Draw from the upper half."""
        return 0.5 + super().random() / 2


@dataclass
class World:
    """What a test talks to.

    Attributes:
        taken: The products that tests have had to themselves so far.
    """

    keepa: httpx.AsyncClient
    role: Callable[[str], str]
    nats_url: str
    js: JetStreamContext
    stack: AsyncExitStack
    budget: Served
    gateway: Served
    replicas: list[Any] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    @property
    def ledger(self) -> Any:
        """Budget's stub."""
        return budget_pb2_grpc.BudgetServiceStub(self.budget.channel)

    @property
    def discovery(self) -> Any:
        """The first replica's stub."""
        return self.replicas[0]

    async def truth(self) -> list[dict[str, Any]]:
        """What Keepa really charged for."""
        lines = (await self.keepa.get("/_sandbox/truth")).text.splitlines()
        return [one for line in lines if (one := json.loads(line))["tokensConsumed"]]

    async def spent(self) -> int:
        """Tokens, by Keepa's own count."""
        return sum(line["tokensConsumed"] for line in await self.truth())

    async def stored(self) -> set[str]:
        """The products that the gateway knows."""
        connection = await asyncpg.connect(sql.plain_url(self.role("keepa_gateway")))
        try:
            rows = await connection.fetch("select asin from keepa_gateway.snapshots")
        finally:
            await connection.close()
        return {row["asin"] for row in rows}

    async def start_discovery(self) -> Any:
        """One more replica inside this process."""
        given: dict[str, Any] = {
            "database_url": self.role("discovery"),
            "nats_url": self.nats_url,
            "keepa_gateway_target": self.gateway.address,
            "budget_target": self.budget.address,
        }
        settings = Settings(**given)
        served = await run(await app.build(settings, self.stack), self.stack)
        self.replicas.append(discovery_pb2_grpc.DiscoveryServiceStub(served.channel))
        return self.replicas[-1]

    def spawn_discovery(self, port: int) -> "subprocess.Popen[bytes]":
        """One more replica as a process that can be killed."""
        environment = {
            **os.environ,
            "DISCOVERY_PORT": str(port),
            "DISCOVERY_STEP_LEASE_SECONDS": "3",
            "DISCOVERY_DATABASE_URL": self.role("discovery"),
            "NATS_URL": self.nats_url,
            "KEEPA_GATEWAY_TARGET": self.gateway.address,
            "BUDGET_TARGET": self.budget.address,
        }
        command = [sys.executable, "-m", "services.discovery"]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    async def ask(self, event: Message) -> None:
        """Publish what a job asks for."""
        outgoing = Outgoing(
            event_id=uuid4(),
            message_name=event.DESCRIPTOR.full_name,
            payload=event.SerializeToString(),
            occurred_at=SystemClock().now(),
            traceparent="",
        )
        await Publisher(self.js).publish([outgoing])

    async def answer(self, step_id: str, seconds: float = 30.0) -> Any:
        """Wait for the event that answers a step."""
        source = await self.js.subscribe("arbitragevault.discovery.v1.*", ordered_consumer=True)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await source.next_msg(timeout=seconds)
                    kind = getattr(events, message.subject.rpartition(".")[2])
                    event = kind.FromString(message.data)
                    if getattr(event, "step_id", "") == step_id:
                        return event
        finally:
            await source.unsubscribe()

    async def hold(self, tokens: int) -> str:
        """Reserve an envelope as a job does."""
        request = budget_pb2.ReserveTokensRequest(
            request_id=str(uuid4()),
            token_count=tokens,
            kind=budget_pb2.RESERVATION_KIND_ENVELOPE,
            priority=budget_pb2.PRIORITY_JOB,
        )
        return str((await self.ledger.ReserveTokens(request)).reservation.name)

    async def release(self, envelope: str) -> None:
        """End an envelope as a job does."""
        await self.ledger.ReleaseReservation(
            budget_pb2.ReleaseReservationRequest(
                request_id=str(uuid4()),
                name=envelope,
                reason=budget_pb2.RELEASE_REASON_FINISHED,
            )
        )


@asynccontextmanager
async def world(
    role: Callable[[str], str], nats_url: str, *, left: int = 12_000, latency: float = 0.0
) -> AsyncIterator[World]:
    """Start everything but discovery."""
    clock = Clock()
    bucket = Bucket(rate=RATE, left=left, first_tick_ms=clock() + TICK_MS, tick_ms=TICK_MS)
    catalogue = GeneratedCatalogue(seed=7, size=400, minute=minute_of(clock()))
    account = Account(bucket, TruthLog(None), clock)
    sandbox = build_sandbox(account, catalogue, rng=Obliging(3), latency=latency)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(sandbox.app))
        keepa = await stack.enter_async_context(http_client(url))
        broker = await stack.enter_async_context(
            nats.connection(nats_url, "autosourcing", patience_seconds=30)
        )
        js = broker.jetstream()
        await nats.ensure_stream(js, "autosourcing")
        common: dict[str, Any] = {"nats_url": nats_url, "keepa_base_url": url}
        ledger = BudgetSettings(database_url=role("budget"), **common)
        budget = await run(await budget_app.build(ledger, stack), stack)
        given = common | {
            "database_url": role("keepa_gateway"),
            "keepa_api_key": KEY,
            "budget_target": budget.address,
            "throttle_per_minute": 60_000,
            "throttle_burst": 1_000,
        }
        gate = GatewaySettings(**given)
        gateway = await run(await gateway_app.build(gate, stack), stack)
        made = World(keepa, role, nats_url, js, stack, budget, gateway)
        await until(lambda: known(made))
        yield made
    account.truth.close()


async def run(service: Service, stack: AsyncExitStack) -> Served:
    """Serve a service with its loops until the stack closes."""
    for loop in service.loops:
        task = asyncio.create_task(supervise(loop))
        stack.push_async_callback(end, task)
    for finish in service.finish:
        stack.push_async_callback(finish)
    return await stack.enter_async_context(
        serve(service.register, service=service.name, full_names=service.full_names)
    )


async def known(made: World) -> bool:
    accounts = await made.ledger.ListAccounts(budget_pb2.ListAccountsRequest())
    return any(one.state == budget_pb2.BALANCE_STATE_KNOWN for one in accounts.accounts)


def books(number: int = 20) -> pb.DiscoveryFilter:
    return pb.DiscoveryFilter(max_results=number)


def scored_search(number: int = 20, **changes: Any) -> pb.DiscoverScoredProductsRequest:
    return pb.DiscoverScoredProductsRequest(
        request_id=str(uuid4()), filter=books(number), **changes
    )


def soon(seconds: float = 60.0) -> Timestamp:
    """A job's deadline."""
    at = Timestamp()
    at.FromMilliseconds(int(SystemClock().now().timestamp() * 1000 + seconds * 1000))
    return at


def search_wanted(envelope: str, **changes: Any) -> job_events.DiscoveryRequested:
    return job_events.DiscoveryRequested(
        job=f"jobs/{uuid4()}", step_id=str(uuid4()), filter=books(), envelope=envelope,
        deadline_time=changes.pop("deadline_time", soon()), caller="reseller", **changes,
    )  # fmt: skip


def scores_wanted(asins: list[str], envelope: str, **changes: Any) -> job_events.ScoringRequested:
    return job_events.ScoringRequested(
        job=f"jobs/{uuid4()}", step_id=str(uuid4()), asins=asins, envelope=envelope,
        deadline_time=changes.pop("deadline_time", soon()), caller="reseller", **changes,
    )  # fmt: skip
