"""What every part of the bench shares: closed loops, rounds, and figures against a baseline.

Server and callers share the machine, so absolute rates move by a third from run to run and only
ratios mean anything. Every round measures each variant in turn, so that a slow moment hits all
of them; the medians of the rounds are compared.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import grpc.aio
import uvloop
from rich.console import Console
from rich.table import Table

from services.chassis.rpc.client import create_channel

ROOT = Path(__file__).parents[2]
CHANNELS = 4
T = TypeVar("T")
Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Sample:
    """One variant in one round: work a second, and latencies of its calls in milliseconds."""

    rate: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Figure:
    """One line of the result.

    Attributes:
        value: In `unit`, the median of the rounds.
        baseline: What the same run is compared with; empty when there is nothing.
        ratio: Value by the baseline's value; 0 without a baseline.
    """

    name: str
    value: float
    baseline: str
    ratio: float
    unit: str
    p50_ms: float
    p99_ms: float
    rounds: int


@dataclass(frozen=True)
class Variant:
    """One way to do the same work.

    Attributes:
        calls: One for each channel; the callers share them out.
        work: Units of work in one call, for rates that compare per item.
        tidy: Undoes outside of the measured time what a round left behind.
    """

    calls: Sequence[Call]
    work: int = 1
    tidy: Call | None = None


Samples = Mapping[str, Sequence[Sample]]


async def interleaved(
    variants: Mapping[str, Variant], callers: int, rounds: int, seconds: float
) -> Samples:
    """Measure all variants in each round, after one round that only warms up."""
    samples: dict[str, list[Sample]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, variant in variants.items():
            sample = await closed_loop(variant, callers, seconds)
            if number:
                samples[name].append(sample)
            if variant.tidy is not None:
                await variant.tidy()
    return samples


async def closed_loop(variant: Variant, callers: int, seconds: float) -> Sample:
    """Let callers call one after the other, each as soon as its last call is answered."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def caller(call: Call) -> None:
        while (began := time.perf_counter()) < end:
            await call()
            latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    calls = variant.calls
    await asyncio.gather(*(caller(calls[number % len(calls)]) for number in range(callers)))
    took = time.perf_counter() - began
    return sample(latencies, variant.work * len(latencies) / took)


def sample(latencies: Sequence[float], rate: float) -> Sample:
    """Sum latencies in seconds up."""
    ordered = sorted(latencies)
    return Sample(
        rate=rate,
        p50_ms=1e3 * ordered[len(ordered) // 2],
        p99_ms=1e3 * ordered[int(len(ordered) * 0.99)],
    )


def rates(samples: Samples, setting: str, baselines: Sequence[str], unit: str) -> list[Figure]:
    """Compare each variant's rate with each of the baselines'."""
    figures = []
    for name, taken in samples.items():
        for baseline in baselines:
            if name != baseline:
                by = median(one.rate for one in samples[baseline])
                value = median(one.rate for one in taken)
                figures.append(figure(f"{name}, {setting}", taken, value, (baseline, by), unit))
    return figures


def medians(samples: Samples, setting: str, baseline: str) -> list[Figure]:
    """Compare each variant's median latency with the baseline's."""
    by = median(one.p50_ms for one in samples[baseline])
    return [
        figure(f"{name}, {setting}", taken, median(one.p50_ms for one in taken), (baseline, by))
        for name, taken in samples.items()
        if name != baseline
    ]


def figure(
    name: str,
    taken: Sequence[Sample],
    value: float,
    baseline: tuple[str, float] = ("", 0.0),
    unit: str = "ms",
) -> Figure:
    """Build a line of the result from the samples of one variant."""
    against, by = baseline
    return Figure(
        name=name,
        value=round(value, 3 if unit == "ms" else 1),
        baseline=against,
        ratio=round(value / by, 3) if by else 0.0,
        unit=unit,
        p50_ms=round(median(one.p50_ms for one in taken), 3),
        p99_ms=round(median(one.p99_ms for one in taken), 3),
        rounds=len(taken),
    )


@asynccontextmanager
async def server(module: str, *arguments: str) -> AsyncIterator[str]:
    """Run `python -m module serve ...` beside the callers; its first line is its address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, "serve", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 10)


@asynccontextmanager
async def channels(address: str, count: int = CHANNELS) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Open several connections to one server, as callers in several processes would."""
    async with AsyncExitStack() as stack:
        opened = [create_channel(address, caller="bench") for _ in range(count)]
        yield [await stack.enter_async_context(channel) for channel in opened]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run on the event loop that services run on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def show(figures: Sequence[Figure]) -> None:
    """Print a table."""
    table = Table("measured", "value", "unit", "baseline", "ratio", "p50 ms", "p99 ms", box=None)
    for figure in figures:
        ratio = f"{figure.ratio:.2f}x" if figure.baseline else ""
        cells = (figure.value, figure.unit, figure.baseline, ratio, figure.p50_ms, figure.p99_ms)
        table.add_row(figure.name, *map(str, cells))
    Console(width=max(110, Console().width)).print(table)


def write(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
