"""AutoSourcing as it runs, on a real database and broker, between peers that obey the test."""

# ruff: noqa: ARG002, ASYNC110, D102 - stand-ins have the contract's signatures and words

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import grpc.aio
import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.autosourcing.v1 import autosourcing_pb2_grpc
from arbitragevault.autosourcing.v1 import events_pb2 as events
from arbitragevault.budget.v1 import budget_pb2 as budget_pb
from arbitragevault.budget.v1 import budget_pb2_grpc
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb
from arbitragevault.discovery.v1 import discovery_pb2_grpc
from arbitragevault.discovery.v1 import events_pb2 as discovery_events
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as gateway_pb
from google.protobuf.message import Message
from nats.aio.msg import Msg

from deploy.local.nats import Nats
from services.autosourcing import app
from services.autosourcing.settings import Settings
from services.chassis import sql
from services.chassis.cancelling import end
from services.chassis.errors import Kind, Refusal
from services.chassis.events import nats
from services.chassis.events.publisher import Outgoing, Publisher
from services.chassis.loops import supervise
from services.chassis.testing.serving import Served, serve

PREFIX = "arbitragevault.autosourcing.v1."

# Attended at once: what was not given back for a while would be tried again after a pause.
_UNFINISHED = """
    update autosourcing.jobs set attend_at = clock_timestamp()
    where document -> 'finished' is distinct from 'true' or state in ('PENDING', 'RUNNING')
    returning 'jobs/' || id as name
"""


class Budget(budget_pb2_grpc.BudgetServiceServicer):
    """A budget whose every answer a test can choose; by default it has tokens for all."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, and behave."""
        self.available = 1000
        self.closed = False
        self.hanging_release: asyncio.Event | None = None
        self.stalled: asyncio.Event | None = None
        self.behave()
        self.held: dict[str, budget_pb.Reservation] = {}
        self.asked: list[budget_pb.ReserveTokensRequest] = []
        self.released: list[str] = []
        self.costs: dict[str, tuple[int, int]] = {}

    def behave(self) -> None:
        """Answer everybody, those who hang too; what is held stays held."""
        for gate in (self.hanging_release, self.stalled):
            if gate is not None:
                gate.set()
        self.hanging_release = self.stalled = None
        self.hanging = 0
        self.broken = self.silent_release = self.forgets_to_answer = False

    def close(self) -> None:
        """Give everything back that is asked for, and nothing more out, not to a queue either."""
        self.behave()
        self.closed = True

    async def ReserveTokens(
        self, request: budget_pb.ReserveTokensRequest, context: Any
    ) -> budget_pb.ReserveTokensResponse:
        self._check_health()
        self.asked.append(request)
        if self.stalled is not None:
            await self.stalled.wait()
        self._check_open()
        known = self.held.get(request.request_id)
        if known is None:
            await self._await_gate(request)
            known = self._hold(request)
        if self.forgets_to_answer:
            raise Refusal(Kind.UNAVAILABLE, "STORAGE_UNAVAILABLE", "The commit's answer was lost.")
        return budget_pb.ReserveTokensResponse(reservation=known)

    async def ReleaseReservation(
        self, request: budget_pb.ReleaseReservationRequest, context: Any
    ) -> budget_pb.ReleaseReservationResponse:
        self._check_health()
        if self.hanging_release is not None:
            self.hanging += 1
            await self.hanging_release.wait()
        if self.silent_release:
            raise Refusal(Kind.UNAVAILABLE, "STORAGE_UNAVAILABLE", "The database is away.")
        held = self._named(request.name)
        self.released.append(request.name)
        if held.state == budget_pb.RESERVATION_STATE_HELD:
            self.available += held.token_count
            held.state = budget_pb.RESERVATION_STATE_RELEASED
        return budget_pb.ReleaseReservationResponse(reservation=self._with_cost(held))

    async def GetReservation(
        self, request: budget_pb.GetReservationRequest, context: Any
    ) -> budget_pb.GetReservationResponse:
        self._check_health()
        return budget_pb.GetReservationResponse(
            reservation=self._with_cost(self._named(request.name))
        )

    async def CheckAction(
        self, request: budget_pb.CheckActionRequest, context: Any
    ) -> budget_pb.CheckActionResponse:
        self._check_health()
        required = max(request.gate_token_count, request.estimate_token_count + 10)
        deficit = max(0, required - self.available)
        answer = budget_pb.CheckActionResponse(
            allowed=not deficit,
            balance_token_count=self.available,
            required_token_count=required,
            deficit_token_count=deficit,
        )
        answer.wait_duration.FromTimedelta(timedelta(seconds=deficit))
        answer.start_time.FromDatetime(datetime.now(UTC))
        return answer

    def _check_health(self) -> None:
        if self.broken:
            raise Refusal(Kind.UNAVAILABLE, "STORAGE_UNAVAILABLE", "The database is away.")

    def _check_open(self) -> None:
        if self.closed:
            raise Refusal(Kind.FAILED_PRECONDITION, "ACCOUNT_CLOSED", "The test is over.")

    async def _await_gate(self, request: budget_pb.ReserveTokensRequest) -> None:
        deadline = asyncio.get_running_loop().time() + request.max_wait_duration.seconds
        while self.available < max(request.gate_token_count, request.token_count + 10):
            if asyncio.get_running_loop().time() >= deadline:
                required = max(request.gate_token_count, request.token_count + 10)
                raise Refusal(
                    Kind.RESOURCE_EXHAUSTED,
                    "INSUFFICIENT_TOKENS",
                    "Not enough tokens.",
                    facts={
                        "balance": self.available,
                        "required": required,
                        "deficit": required - self.available,
                    },
                    retry_after=timedelta(seconds=90),
                )
            await asyncio.sleep(0.02)
            self._check_open()

    def held_for(self, *jobs: str) -> list[budget_pb.Reservation]:
        """What was ever held for some jobs."""
        return [one for one in self.held.values() if one.job in jobs]

    def _hold(self, request: budget_pb.ReserveTokensRequest) -> budget_pb.Reservation:
        held = budget_pb.Reservation(
            name=f"reservations/{request.request_id}",
            state=budget_pb.RESERVATION_STATE_HELD,
            token_count=request.token_count,
            job=request.job,
        )
        held.expire_time.FromDatetime(datetime.now(UTC) + request.hold_duration.ToTimedelta())
        self.available -= request.token_count
        self.held[request.request_id] = held
        return held

    def _named(self, name: str) -> budget_pb.Reservation:
        for held in self.held.values():
            if held.name == name:
                return held
        raise Refusal(Kind.NOT_FOUND, "RESERVATION_NOT_FOUND", f"There is no {name}.")

    def _with_cost(self, held: budget_pb.Reservation) -> budget_pb.Reservation:
        spent, unsettled = self.costs.get(held.name, (0, 0))
        told = budget_pb.Reservation()
        told.CopyFrom(held)
        told.committed_token_count, told.unsettled_token_count = spent, unsettled
        return told


def score(asin: str, **values: Any) -> discovery_pb.ProductScore:
    """A product worth a pick, unless the values say otherwise."""
    given: dict[str, Any] = {
        "asin": asin,
        "title": f"Book {asin}",
        "product_status": gateway_pb.PRODUCT_STATUS_FOUND,
        "recommendation": discovery_pb.RECOMMENDATION_BUY,
        "summary": "ROI 70.67 % and velocity 75.62",
        "sales_rank": 95_000,
        "sell_cents": 4200,
        "buy_cents": 1200,
        "buy_basis": discovery_pb.BUY_BASIS_OFFER,
        "max_buy_cents": 1619,
        "profit_cents": 947,
        "roi_percent": 70.67,
        "velocity_score": 75.62,
        "stability_score": 80.0,
        "confidence_score": 82.0,
        "currency_code": "USD",
        **values,
    }
    return discovery_pb.ProductScore(**given)


Answer = Callable[[Message], Sequence[Message]]


@dataclass
class Discovery(discovery_pb2_grpc.DiscoveryServiceServicer):
    """Discovery as its events show it: answers each request as the test chose."""

    js: Any
    heard: list[Message] = field(default_factory=list)
    found: tuple[str, ...] = tuple(f"B{number:09d}" for number in range(12))
    answer: Answer | None = None
    cached: int = 0
    priced: discovery_pb.EstimateDiscoveryResponse | None = None
    asked: discovery_pb.EstimateDiscoveryRequest | None = None
    taken: set[str] = field(default_factory=set)

    def reset(self) -> None:
        self.heard.clear()
        self.found = tuple(f"B{number:09d}" for number in range(12))
        self.answer = None
        self.cached = 0
        self.priced = None

    async def EstimateDiscovery(
        self, request: discovery_pb.EstimateDiscoveryRequest, context: Any
    ) -> discovery_pb.EstimateDiscoveryResponse:
        self.asked = request
        if self.priced is not None:
            return self.priced
        if request.HasField("asins"):
            count = len(request.asins.asins) - self.cached
            return discovery_pb.EstimateDiscoveryResponse(
                product_token_count=count, most_token_count=count, cached_count=self.cached
            )
        return discovery_pb.EstimateDiscoveryResponse(search_token_count=11, most_token_count=11)

    async def on_message(self, message: Msg) -> None:
        event_id = (message.headers or {})["Nats-Msg-Id"]
        if event_id in self.taken:
            return  # As its inbox would: a publisher that died may say a thing twice.
        self.taken.add(event_id)
        event = getattr(events, message.subject.removeprefix(PREFIX)).FromString(message.data)
        self.heard.append(event)
        for answer in (self.answer or self.usual)(event):
            await self.say(answer)

    def usual(self, event: Message) -> Sequence[Message]:
        """Find twelve products, and score every one as worth a pick."""
        if isinstance(event, events.DiscoveryRequested):
            return [
                discovery_events.DiscoveryCompleted(
                    job=event.job, step_id=event.step_id, asins=self.found
                )
            ]
        if isinstance(event, events.ScoringRequested):
            return [self.scored(event)]
        return []

    def scored(
        self, event: events.ScoringRequested, **values: Any
    ) -> discovery_events.ScoringCompleted:
        return discovery_events.ScoringCompleted(
            job=event.job,
            step_id=event.step_id,
            scores=[score(asin, **values) for asin in event.asins],
        )

    async def say(self, event: Message, event_id: UUID | None = None) -> None:
        outgoing = Outgoing(
            event_id or uuid4(),
            event.DESCRIPTOR.full_name,
            event.SerializeToString(),
            datetime.now(UTC),
        )
        await Publisher(self.js).publish([outgoing])

    def of(self, kind: type[Any], job: str = "") -> list[Any]:
        """What was heard of one kind, and of one job where it is named."""
        heard = [event for event in self.heard if isinstance(event, kind)]
        return [event for event in heard if not job or _job_of(event) == job]

    def order(self, job: str) -> list[str]:
        """The names of what was heard of one job, in order."""
        return [type(event).__name__ for event in self.heard if _job_of(event) == job]

    async def until(self, kind: type[Any], job: str, count: int = 1) -> list[Any]:
        """Wait for events of a kind of a job."""
        async with asyncio.timeout(40):
            while len(found := self.of(kind, job)) < count:
                await asyncio.sleep(0.01)
        return found


def _job_of(event: Any) -> str:
    if isinstance(event, events.PickFound):
        return str(event.pick.job)
    return str(event.job.name if isinstance(event, events.JobCreated) else event.job)


@dataclass
class World:
    """The service under test and everything around it."""

    budget: Budget
    discovery: Discovery
    database_url: str
    peers: str
    stub: Any = None
    address: str = ""

    async def create(self, wait: float = 0, request_id: str = "", **spec: Any) -> pb.Job:
        """Make a job; by default a search over everything."""
        answer = await self.stub.CreateJob(self.request(wait, request_id, **spec))
        return answer.job

    def request(self, wait: float = 0, request_id: str = "", **spec: Any) -> pb.CreateJobRequest:
        spec = spec or {"filter": discovery_pb.DiscoveryFilter(), "include_recently_seen": True}
        request = pb.CreateJobRequest(
            request_id=request_id or str(uuid4()), spec=pb.JobSpec(**spec)
        )
        request.max_wait_duration.FromTimedelta(timedelta(seconds=wait))
        return request

    async def job(self, name: str) -> pb.Job:
        return (await self.stub.GetJob(pb.GetJobRequest(name=name))).job

    async def ended(self, name: str) -> pb.Job:
        """Wait until the job's last event went out, and read it."""
        await self.discovery.until(events.JobFinished, name)
        return await self.job(name)

    async def picks(self, name: str) -> list[pb.Pick]:
        answer = await self.stub.ListPicks(pb.ListPicksRequest(job=name, page_size=1000))
        return list(answer.picks)

    async def until(self, happened: Callable[[], Any]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(30):
            while not happened():
                await asyncio.sleep(0.01)

    async def rest(self) -> None:
        """End everything that a test began, and wait until the service has nothing left to do.

        A job that went on would take the next test's tokens and products, or give them back.
        """
        self.budget.close()
        self.discovery.answer = lambda _: []
        await self.execute("delete from autosourcing.schedules")
        async with asyncio.timeout(30):
            while unfinished := await self.execute(_UNFINISHED):
                for row in unfinished:
                    with suppress(grpc.aio.AioRpcError):  # It may have ended by itself.
                        request = pb.CancelJobRequest(request_id=str(uuid4()), name=row["name"])
                        await self.stub.CancelJob(request)
                await asyncio.sleep(0.05)
        await self.execute("update autosourcing.jobs set attend_at = null")
        await self.execute("delete from autosourcing.abandoned")

    async def execute(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """Look into the database, or bend it, as nobody else may."""
        connection = await asyncpg.connect(sql.plain_url(self.database_url))
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *values)
            return rows
        finally:
            await connection.close()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Served]:
    """Run the service as its process would, on a free port."""
    async with AsyncExitStack() as stack:
        service = await app.build(settings, stack)
        served = await stack.enter_async_context(
            serve(service.register, service="autosourcing", full_names=service.full_names)
        )
        loops = [asyncio.create_task(supervise(loop)) for loop in service.loops]
        try:
            yield served
        finally:
            await end(*loops)


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """A broker of the module's own: a reader's place in a stream outlives its database."""
    with Nats.start(durable=False) as server:
        yield server.url


@pytest.fixture(scope="module")
async def peers_world(broker: str, database: str) -> AsyncIterator[World]:
    """The peers alone."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            nats.connection(broker, "discovery", patience_seconds=30)
        )
        js = client.jetstream()
        await nats.ensure_stream(js, "discovery")
        budget, discovery = Budget(), Discovery(js)
        await client.subscribe(f"{PREFIX}*", cb=discovery.on_message)

        def register(server: Any) -> None:
            budget_pb2_grpc.add_BudgetServiceServicer_to_server(budget, server)
            discovery_pb2_grpc.add_DiscoveryServiceServicer_to_server(discovery, server)

        peers = await stack.enter_async_context(serve(register, service="budget"))
        yield World(budget, discovery, database, peers.address)


@pytest.fixture(scope="module")
async def shared_world(
    peers_world: World, broker: str, service_database: Callable[[str], str]
) -> AsyncIterator[World]:
    """The peers, and the service between them in this process."""
    settings = Settings(
        port=0,
        database_url=service_database("autosourcing"),
        nats_url=broker,
        budget_target=peers_world.peers,
        discovery_target=peers_world.peers,
    )
    async with running(settings) as served:
        peers_world.stub = autosourcing_pb2_grpc.AutoSourcingServiceStub(served.channel)
        peers_world.address = served.address
        yield peers_world


@pytest.fixture
async def world(shared_world: World) -> AsyncIterator[World]:
    """The module's world: its peers behave, and no job of an earlier test is under way."""
    yield _reset(shared_world)
    await shared_world.rest()


@pytest.fixture
def lone_world(peers_world: World) -> World:
    """The peers without the service, for tests that start it themselves."""
    return _reset(peers_world)


@pytest.fixture
def running_service() -> Callable[[Settings], Any]:
    """Runs one more replica inside this process."""
    return running


def _reset(world: World) -> World:
    world.budget.reset()
    world.discovery.reset()
    return world
