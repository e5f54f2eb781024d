"""Measures ReserveTokens and CommitReservation against an echo and against the plain way.

Run by `make bench`. Server and callers share the machine: the server is a process of its own with
PostgreSQL (fsync on), NATS and the event relay running. Every round measures each variant in turn,
so that a slow moment hits all of them; the medians of the rounds are compared. Only ratios mean
anything: absolute rates move by a third from run to run.

    python tests/bench/reserve.py [--rounds 5] [--seconds 2] [--out out/bench.json]
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import grpc.aio
import plain
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceStub
from rich.console import Console
from rich.table import Table

from deploy.local.nats import Nats
from deploy.local.postgres import Postgres
from services.budget import app
from services.budget.settings import Settings
from services.chassis import migrate, sql, telemetry
from services.chassis.loops import supervise
from services.chassis.rpc.client import create_channel
from services.chassis.testing.serving import serve

CALLERS = (1, 16, 64, 256)
BATCH, BATCH_CALLERS = 100, 4
RATE = 1_000_000  # Tokens a minute: the measured calls must never run short.
OBSERVE_SECONDS = 30.0
CHANNELS = 4
Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Sample:
    """One variant in one round: calls a second, and latencies in milliseconds."""

    rate: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Figure:
    """One line of the result."""

    name: str
    value: float
    baseline: str
    ratio: float
    unit: str
    p50_ms: float
    p99_ms: float
    rounds: int


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=Path("out/bench.json"))
    parser.add_argument("--serve", nargs=2, metavar=("DATABASE_URL", "NATS_URL"))
    options = parser.parse_args()
    telemetry.configure_logging(SimpleNamespace(log_level="WARNING", log_format="console"))
    if options.serve:
        asyncio.run(_serve(*options.serve))
        return 0
    figures = asyncio.run(_bench(options.rounds, options.seconds))
    _show(figures)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    return 0


async def _serve(database_url: str, nats_url: str) -> None:
    """Serve the real budget, the echo and the plain way on one port; print it."""
    settings = Settings(
        port=0,
        database_url=sql.role_url(database_url, "budget"),
        nats_url=nats_url,
        max_concurrent_rpcs=1_000,
    )
    async with AsyncExitStack() as stack:
        engine = sql.create_engine(database_url, application="bench")
        stack.push_async_callback(engine.dispose)
        await plain.prepare(engine)
        service = await app.build(settings, stack)

        def register(server: grpc.aio.Server) -> None:
            service.register(server)
            plain.register(server, engine)

        served = await stack.enter_async_context(
            serve(register, service="budget", full_names=service.full_names, limits=settings)
        )
        sys.stdout.write(f"{served.address}\n")
        sys.stdout.flush()
        await asyncio.gather(*(supervise(loop) for loop in service.loops))


async def _bench(rounds: int, seconds: float) -> list[Figure]:
    with Postgres.start() as postgres, Nats.start() as nats:
        await migrate.migrate(postgres.url, ["budget"])
        async with _server(postgres.url, nats.url) as address, AsyncExitStack() as stack:
            channels = [
                await stack.enter_async_context(create_channel(address, caller="bench"))
                for _ in range(CHANNELS)
            ]
            observing = asyncio.create_task(_observe(channels[0]))
            await asyncio.sleep(0.5)
            try:
                return await _measure_all(channels, rounds, seconds)
            finally:
                observing.cancel()


@asynccontextmanager
async def _server(database_url: str, nats_url: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--serve", database_url, nats_url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 10)


async def _observe(channel: grpc.aio.Channel) -> None:
    """Keep the balance known and full, as the gateway's observations would."""
    stub = BudgetServiceStub(channel)
    while True:
        seen = budget.Observation(token_count=60 * RATE, refill_rate=RATE)
        seen.keepa_time.FromDatetime(datetime.now(UTC))
        seen.refill_wait_duration.FromMilliseconds(60_000)
        request = budget.ReportBalanceRequest(request_id=str(uuid4()), observation=seen)
        await stub.ReportBalance(request)
        await asyncio.sleep(OBSERVE_SECONDS)


async def _measure_all(
    channels: list[grpc.aio.Channel], rounds: int, seconds: float
) -> list[Figure]:
    figures = []
    for callers in CALLERS:
        variants = {
            "echo": [_call(channel, "Echo") for channel in channels],
            "plain": [_call(channel, "Reserve") for channel in channels],
            "reserve": [_reserve(channel) for channel in channels],
            "reserve+commit": [_pair(channel) for channel in channels],
        }
        samples = await _interleaved(variants, callers, rounds, seconds)
        figures += _figures(samples, f"{callers} callers", {"reserve+commit": 2})
    variants = {
        "echo": [_call(channel, "EchoBatch") for channel in channels],
        "plain": [_call(channel, "Batch") for channel in channels],
        "reserve": [_reserve_batch(channel) for channel in channels],
    }
    samples = await _interleaved(variants, BATCH_CALLERS, rounds, seconds)
    return figures + _figures(samples, f"batch of {BATCH}, {BATCH_CALLERS} callers", {})


async def _interleaved(
    variants: dict[str, list[Call]], callers: int, rounds: int, seconds: float
) -> dict[str, list[Sample]]:
    samples: dict[str, list[Sample]] = {name: [] for name in variants}
    for number in range(rounds + 1):  # The first round warms up.
        for name, calls in variants.items():
            sample = await _closed_loop(calls, callers, seconds)
            if number:
                samples[name].append(sample)
    return samples


async def _closed_loop(calls: list[Call], callers: int, seconds: float) -> Sample:
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def caller(call: Call) -> None:
        while (began := time.perf_counter()) < end:
            await call()
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(caller(calls[number % len(calls)]) for number in range(callers)))
    took = time.perf_counter() - began
    latencies.sort()
    return Sample(
        rate=len(latencies) / took,
        p50_ms=1e3 * latencies[len(latencies) // 2],
        p99_ms=1e3 * latencies[int(len(latencies) * 0.99)],
    )


def _call(channel: grpc.aio.Channel, name: str) -> Call:
    method = plain.method(channel, name)
    build = (lambda: plain.asked_many(BATCH)) if name.endswith("Batch") else plain.asked
    return lambda: method(build())


def _reserve(channel: grpc.aio.Channel) -> Call:
    stub = BudgetServiceStub(channel)
    return lambda: stub.ReserveTokens(plain.asked())


def _reserve_batch(channel: grpc.aio.Channel) -> Call:
    stub = BudgetServiceStub(channel)
    return lambda: stub.BatchReserveTokens(plain.asked_many(BATCH))


def _pair(channel: grpc.aio.Channel) -> Call:
    stub = BudgetServiceStub(channel)

    async def call() -> None:
        held = (await stub.ReserveTokens(plain.asked())).reservation
        request = budget.CommitReservationRequest(
            request_id=str(uuid4()), name=held.name, consumed_token_count=1
        )
        await stub.CommitReservation(request)

    return call


def _figures(samples: dict[str, list[Sample]], setting: str, calls: dict[str, int]) -> list[Figure]:
    """Compare each variant with the echo and with the plain way, call for call."""
    rates = {
        name: calls.get(name, 1) * statistics.median(one.rate for one in taken)
        for name, taken in samples.items()
    }
    figures = []
    for name, taken in samples.items():
        for baseline in ("echo", "plain"):
            if name == baseline or (name == "plain" and baseline == "echo"):
                continue
            figures.append(
                Figure(
                    name=f"{name}, {setting}",
                    value=round(rates[name], 1),
                    baseline=baseline,
                    ratio=round(rates[name] / rates[baseline], 3),
                    unit="calls/s",
                    p50_ms=round(statistics.median(one.p50_ms for one in taken), 2),
                    p99_ms=round(statistics.median(one.p99_ms for one in taken), 2),
                    rounds=len(taken),
                )
            )
    return figures


def _show(figures: list[Figure]) -> None:
    table = Table("measured", "calls/s", "baseline", "ratio", "p50 ms", "p99 ms", box=None)
    for figure in figures:
        row = (figure.value, figure.baseline, f"{figure.ratio:.2f}x", figure.p50_ms, figure.p99_ms)
        table.add_row(figure.name, *map(str, row))
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
