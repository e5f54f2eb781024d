"""ReserveTokens and CommitReservation against an echo, and against the plain way of doing it.

The server is a process of its own with PostgreSQL (fsync on), NATS and the event relay running.
A local disk flushes in a fraction of a millisecond, a disk in a network takes some: the crowd and the
batches are measured on such a one as well. What a variant reserves and does not commit is released between the rounds: no real account has
tens of thousands of open holds.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import asyncpg
import grpc.aio
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceStub

from deploy.local.nats import Nats
from deploy.local.postgres import Postgres
from services.budget import app
from services.budget.settings import Settings
from services.chassis import memory, migrate, sql, telemetry
from services.chassis.loops import supervise
from services.chassis.testing.serving import serve
from tests.bench import harness, plain
from tests.bench.harness import Call, Figure, Variant

CALLERS = (1, 16, 64, 256)
CROWD = 64
BATCH, BATCH_CALLERS = 100, 4
RELEASERS = 64
FLUSH_MICROSECONDS = 2_000
RATE = 1_000_000  # Tokens a minute: the measured calls must never run short.
OBSERVE_SECONDS = 30.0
LONGEST_BACKLOG_SECONDS = 120.0
TOLD = """
select coalesce((select sequence from budget.relay_cursors where account = 'default'), 0)
    >= (select coalesce(max(sequence), 0) from budget.ledger where account = 'default')
"""

Channels = list[grpc.aio.Channel]


async def measure(rounds: int, seconds: float) -> list[Figure]:
    """Measure the part."""
    with Postgres.start() as postgres, Nats.start() as nats:
        await migrate.migrate(postgres.url, ["budget"])
        database = await asyncpg.connect(sql.plain_url(postgres.url))
        async with (
            harness.server(__name__, postgres.url, nats.url) as address,
            harness.channels(address) as channels,
            observed(channels[0]),
        ):
            reserve = Reserves(channels, database)
            figures = []
            for callers in CALLERS:
                figures += await _singles(reserve, callers, rounds, seconds)
            figures += await _batches(reserve, rounds, seconds)
            async with slow_disk(database) as disk:
                figures += await _singles(reserve, CROWD, rounds, seconds, disk)
                figures += await _batches(reserve, rounds, seconds, disk)
        await database.close()
    return figures


@asynccontextmanager
async def observed(channel: grpc.aio.Channel, tokens: int = 60 * RATE) -> AsyncIterator[None]:
    """Keep the balance known and full, as the gateway's observations would."""
    stub = BudgetServiceStub(channel)

    async def report() -> None:
        seen = budget.Observation(token_count=tokens, refill_rate=RATE)
        seen.keepa_time.FromDatetime(datetime.now(UTC))
        seen.refill_wait_duration.FromMilliseconds(60_000)
        request = budget.ReportBalanceRequest(request_id=str(uuid4()), observation=seen)
        await stub.ReportBalance(request)

    async def go_on() -> None:
        while True:
            await asyncio.sleep(OBSERVE_SECONDS)
            await report()

    await report()
    observing = asyncio.create_task(go_on())
    try:
        yield
    finally:
        observing.cancel()


@asynccontextmanager
async def slow_disk(database: asyncpg.Connection) -> AsyncIterator[str]:
    """Let each flush of the log take as long as on a disk that is reached over a network.

    PostgreSQL itself sleeps before it flushes, with the log's lock held; gives a name for it.
    """
    await _set(database, commit_delay=FLUSH_MICROSECONDS, commit_siblings=0)
    yield f", a disk of {FLUSH_MICROSECONDS // 1000} ms"
    await _set(database, commit_delay="default", commit_siblings="default")


async def _set(database: asyncpg.Connection, **settings: int | str) -> None:
    for name, value in settings.items():
        await database.execute(f"alter system set {name} = {value}")
    await database.execute("select pg_reload_conf()")


async def _singles(
    reserve: "Reserves", callers: int, rounds: int, seconds: float, disk: str = ""
) -> list[Figure]:
    channels = reserve.channels
    variants = {
        "echo": Variant([_call(channel, "Echo") for channel in channels]),
        "plain": Variant([_call(channel, "Reserve") for channel in channels]),
        "reserve": Variant([reserve.one(channel) for channel in channels], tidy=reserve.tidy),
        "reserve+commit": Variant(
            [_pair(channel) for channel in channels], work=2, tidy=reserve.told
        ),
        "echo+echo": Variant([_echoes(channel) for channel in channels], work=2),
    }
    samples = await harness.interleaved(variants, callers, rounds, seconds)
    setting = (f"{callers} callers" if callers > 1 else "1 caller") + disk
    pairs = {name: samples[name] for name in ("reserve+commit", "echo+echo")}
    rated = {name: taken for name, taken in samples.items() if name != "echo+echo"}
    figures = harness.rates(rated, setting, ("echo", "plain"), "calls/s")
    return figures + harness.medians(pairs, f"{setting}, a pair", "echo+echo")


async def _batches(
    reserve: "Reserves", rounds: int, seconds: float, disk: str = ""
) -> list[Figure]:
    channels = reserve.channels
    variants = {
        "echo": Variant([_call(channel, "EchoBatch") for channel in channels], work=BATCH),
        "plain": Variant([_call(channel, "Batch") for channel in channels], work=BATCH),
        "reserve": Variant(
            [reserve.many(channel) for channel in channels], work=BATCH, tidy=reserve.tidy
        ),
    }
    samples = await harness.interleaved(variants, BATCH_CALLERS, rounds, seconds)
    setting = f"batch of {BATCH}, {BATCH_CALLERS} callers{disk}"
    return harness.rates(samples, setting, ("echo", "plain"), "items/s")


class Reserves:
    """Reserves without committing, and releases between the rounds what it holds."""

    def __init__(self, channels: Channels, database: asyncpg.Connection) -> None:
        self.channels = channels
        self._database = database
        self._stub = BudgetServiceStub(channels[0])
        self._held: list[str] = []

    def one(self, channel: grpc.aio.Channel) -> Call:
        """Build a call that reserves once."""
        stub = BudgetServiceStub(channel)

        async def call() -> None:
            answer = await stub.ReserveTokens(plain.asked())
            self._held.append(answer.reservation.name)

        return call

    def many(self, channel: grpc.aio.Channel) -> Call:
        """Build a call that reserves a batch."""
        stub = BudgetServiceStub(channel)

        async def call() -> None:
            answer = await stub.BatchReserveTokens(plain.asked_many(BATCH))
            self._held += [result.reservation.name for result in answer.results]

        return call

    async def tidy(self) -> None:
        """Release everything."""
        names, self._held = iter(self._held), []

        async def releaser() -> None:
            for name in names:
                request = budget.ReleaseReservationRequest(
                    request_id=str(uuid4()), name=name, reason=budget.RELEASE_REASON_NOT_SENT
                )
                await self._stub.ReleaseReservation(request)

        await asyncio.gather(*(releaser() for _ in range(RELEASERS)))
        await self.told()

    async def told(self) -> None:
        """Wait until the relay has published what there is, or the next variant would pay for it."""
        async with asyncio.timeout(LONGEST_BACKLOG_SECONDS):
            while True:
                if await self._database.fetchval(TOLD):
                    return
                await asyncio.sleep(0.1)


def _call(channel: grpc.aio.Channel, name: str) -> Call:
    method = plain.method(channel, name)
    build = (lambda: plain.asked_many(BATCH)) if name.endswith("Batch") else plain.asked
    return lambda: method(build())


def _echoes(channel: grpc.aio.Channel) -> Call:
    echo = _call(channel, "Echo")

    async def call() -> None:
        await echo()
        await echo()

    return call


def _pair(channel: grpc.aio.Channel) -> Call:
    stub = BudgetServiceStub(channel)

    async def call() -> None:
        held = (await stub.ReserveTokens(plain.asked())).reservation
        request = budget.CommitReservationRequest(
            request_id=str(uuid4()), name=held.name, consumed_token_count=1
        )
        await stub.CommitReservation(request)

    return call


async def serve_budget(
    settings: Settings, also: Callable[[grpc.aio.Server], None] = lambda _: None
) -> None:
    """Serve the real budget with its loops, and other things on the same port; print it."""
    async with AsyncExitStack() as stack:
        service = await app.build(settings, stack)

        def register(server: grpc.aio.Server) -> None:
            service.register(server)
            also(server)

        served = await stack.enter_async_context(
            serve(register, service="budget", full_names=service.full_names, limits=settings)
        )
        memory.settle()
        sys.stdout.write(f"{served.address}\n")
        sys.stdout.flush()
        await asyncio.gather(*(supervise(loop) for loop in service.loops))


async def _serve(database_url: str, nats_url: str) -> None:
    """Serve the real budget, the echo and the plain way."""
    settings = Settings(
        port=0,
        database_url=sql.role_url(database_url, "budget"),
        nats_url=nats_url,
        max_concurrent_rpcs=1_000,
    )
    engine = sql.create_engine(database_url, application="bench")
    await plain.prepare(engine)
    await serve_budget(settings, lambda server: plain.register(server, engine))


if __name__ == "__main__":
    telemetry.configure_logging(SimpleNamespace(log_level="WARNING", log_format="console"))
    harness.run(_serve(*sys.argv[2:]))
