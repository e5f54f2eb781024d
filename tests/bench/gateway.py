"""The gateway: products from the store and from Keepa's stand-in, what it adds, and what it saves.

Stand-in, budget and gateway are processes of their own. Large books are made from a recorded one
where the optional folder of recorded answers is there, else from an invented one of its size.
"""

import asyncio
import json
import os
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from time import perf_counter
from types import SimpleNamespace

import asyncpg
import grpc.aio
import httpx
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceStub
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from arbitragevault.keepa_gateway.v1.keepa_gateway_pb2_grpc import KeepaGatewayServiceStub
from google.protobuf.duration_pb2 import Duration

from deploy.local.nats import Nats
from deploy.local.postgres import Postgres
from services.budget import app as budget_app
from services.budget.settings import Settings as BudgetSettings
from services.chassis import migrate, sql, telemetry
from services.chassis.loops import supervise
from services.chassis.testing.serving import serve
from services.keepa_gateway import app
from services.keepa_gateway.settings import Settings
from tests.bench import decoding, harness
from tests.bench.harness import Figure, Sample, Variant

KEY = "k" * 64
RATE = 20_000  # Tokens a tick: nothing here may run short.
PAGE = 100
STORM, STORM_BOOKS = 200, 50
WORKLOAD, POPULAR = 400, 150
FRESH = Duration(seconds=0)
LARGE = pb.ProductOptions(history=True, stats_days=365)


@dataclass(frozen=True)
class World:
    """What the bench talks to."""

    sandbox: str
    database: str
    gateway: KeepaGatewayServiceStub
    pid: int
    asins: list[str]

    async def spent(self) -> tuple[int, int]:
        """Tokens spent and paid calls so far, by the stand-in's own log."""
        async with httpx.AsyncClient(trust_env=False) as client:
            log = (await client.get(f"{self.sandbox}/_sandbox/truth")).text.splitlines()
        paid = [json.loads(line)["tokensConsumed"] for line in log if line]
        return sum(paid), sum(1 for tokens in paid if tokens)

    async def ask(self, asins: Sequence[str], **more: object) -> int:
        """Ask for products, read the whole answer, and count it."""
        request = pb.GetProductsRequest(request_id=str(uuid.uuid4()), asins=asins, **more)
        stream = self.gateway.GetProducts(request)
        return len([one.status async for answer in stream for one in answer.results])


async def measure(rounds: int, seconds: float) -> list[Figure]:
    """Measure the part."""
    figures = await decoding.measure(rounds)
    with Postgres.start() as postgres, Nats.start() as nats:
        await migrate.migrate(postgres.url, ["budget", "keepa_gateway"])
        async with world(postgres.url, nats.url) as usual:
            figures += await _products(usual, rounds, seconds)
            figures += await _added(usual, rounds, seconds)
            figures += await _saved(usual)
    with (
        tempfile.TemporaryDirectory() as folder,
        Postgres.start() as postgres,
        Nats.start() as nats,
    ):
        await migrate.migrate(postgres.url, ["budget", "keepa_gateway"])
        decoding.catalogue(Path(folder), PAGE)
        async with world(postgres.url, nats.url, "--catalog", folder) as heavy:
            figures += await _memory(heavy)
            figures += await _stored(heavy, f"{PAGE} large books", rounds, seconds, LARGE)
    return figures


@asynccontextmanager
async def world(database: str, nats: str, *options: str) -> AsyncIterator[World]:
    """Start everything, and wait until the balance is known."""
    async with AsyncExitStack() as stack:
        start = stack.enter_async_context
        sandbox = await start(_sandbox(*options))
        asins = await _catalogue(sandbox)
        ledger = await start(harness.server(__name__, "budget", database, nats, sandbox))
        address = await start(harness.server(__name__, "gateway", database, nats, sandbox, ledger))
        target, pid = address.split()
        (channel,) = await start(harness.channels(target, 1))
        (books,) = await start(harness.channels(ledger, 1))
        await _known(books)
        yield World(sandbox, database, KeepaGatewayServiceStub(channel), int(pid), asins)


@asynccontextmanager
async def _sandbox(*options: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.sandbox", "--port", "0", "--rate", str(RATE)),
        *("--key", KEY, *options),
        cwd=harness.ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        greeting = (await process.stdout.readline()).decode()
        yield next(word for word in greeting.split() if word.startswith("http"))
    finally:
        process.terminate()
        await process.wait()


async def _catalogue(sandbox: str) -> list[str]:
    """The ASINs of the stand-in, asked for before any ledger watches its balance."""
    selection = {"rootCategory": [283155], "productType": [0], "page": 0, "perPage": 2000}
    given = {"domain": "1", "key": KEY, "selection": json.dumps(selection)}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.get(f"{sandbox}/query", params=given)
    return list(answer.json()["asinList"])


async def _known(channel: grpc.aio.Channel) -> None:
    stub = BudgetServiceStub(channel)
    while True:
        accounts = (await stub.ListAccounts(budget.ListAccountsRequest())).accounts
        if any(one.state == budget.BALANCE_STATE_KNOWN for one in accounts):
            return
        await asyncio.sleep(0.1)


async def _products(own: World, rounds: int, seconds: float) -> list[Figure]:
    """Products a second from the store beside its bare rows, and from the stand-in."""
    stored = await _stored(own, f"{PAGE} products", rounds, seconds)
    ask = partial(own.ask, own.asins[:PAGE], max_age_duration=FRESH)
    fetched = await harness.interleaved({"": Variant([ask], PAGE)}, 1, rounds, seconds)
    rate = _median_rate(fetched[""])
    name = f"sandbox, {PAGE} products afresh"
    return [*stored, harness.figure(name, fetched[""], rate, unit="products/s")]


async def _stored(
    own: World, setting: str, rounds: int, seconds: float, options: pb.ProductOptions | None = None
) -> list[Figure]:
    """What is stored, through the gateway and as bare rows; one of it tells what a call costs."""
    ask = partial(own.ask, own.asins[:PAGE], options=options)
    one = partial(own.ask, own.asins[:1], options=options)
    await ask()
    rows = await asyncpg.connect(sql.plain_url(own.database))
    query = "select product from keepa_gateway.snapshots where domain = 1 and asin = any($1)"
    bare = partial(rows.fetch, query, own.asins[:PAGE])
    variants = {
        "asyncpg rows": Variant([bare], PAGE),
        "store": Variant([ask], PAGE),
        "store, one of": Variant([one]),
    }
    taken = await harness.interleaved(variants, 1, rounds, seconds)
    await rows.close()
    whole = {name: taken[name] for name in ("asyncpg rows", "store")}
    return [
        *harness.medians(taken, setting, "asyncpg rows"),
        *harness.rates(whole, setting, ["asyncpg rows"], "products/s"),
    ]


def _median_rate(taken: Sequence[Sample]) -> float:
    return sorted(one.rate for one in taken)[len(taken) // 2]


async def _added(own: World, rounds: int, seconds: float) -> list[Figure]:
    """What a call takes longer than the bare request that it makes."""
    asin = own.asins[PAGE : PAGE + 1]
    given = {"domain": "1", "asin": asin[0], "stats": "90", "history": "0", "key": KEY}
    async with httpx.AsyncClient(base_url=own.sandbox, trust_env=False) as client:
        variants = {
            "bare httpx": Variant([lambda: client.get("/product", params=given)]),
            "gateway": Variant([lambda: own.ask(asin, max_age_duration=FRESH)]),
        }
        taken = await harness.interleaved(variants, 1, rounds, seconds)
    bare = sorted(one.p50_ms for one in taken["bare httpx"])[rounds // 2]
    whole = sorted(one.p50_ms for one in taken["gateway"])[rounds // 2]
    added = harness.figure("gateway's added latency, p50", taken["gateway"], whole - bare)
    return [*harness.medians(taken, "1 product afresh", "bare httpx"), added]


async def _saved(own: World) -> list[Figure]:
    """Tokens and calls that storms and a repeated workload cost, beside what they asked for."""
    dice = Random(4)
    storm, crowd, popular = own.asins[200:250], own.asins[250:350], own.asins[350 : 350 + POPULAR]
    workload = [
        [popular[min(int(dice.expovariate(0.03)), POPULAR - 1)] for _ in range(5)]
        for _ in range(WORKLOAD)
    ]
    figures = []
    for name, asked in (
        (f"storm of {STORM} for the same {STORM_BOOKS}", [storm] * STORM),
        ("100 callers for one product each", [[asin] for asin in crowd]),
        (f"{WORKLOAD} requests for 5 popular products", [list(dict.fromkeys(w)) for w in workload]),
    ):
        tokens, calls = await own.spent()
        began = perf_counter()
        await asyncio.gather(*(own.ask(asins) for asins in asked))
        took = perf_counter() - began
        spent, sent = await own.spent()
        wanted = float(sum(map(len, asked)))
        taken = [Sample(rate=len(asked) / took, p50_ms=1e3 * took, p99_ms=1e3 * took)]
        line = (f"{name}: tokens", taken, float(spent - tokens), ("asked for", wanted), "tokens")
        figures.append(harness.figure(*line))
        line = (f"{name}: calls", taken, float(sent - calls), ("requests", len(asked)), "calls")
        figures.append(harness.figure(*line))
    return figures


async def _memory(own: World) -> list[Figure]:
    """The gateway's memory: idle, and at most while it streams large books with their raw JSON."""
    idle = _resident(own.pid, "VmRSS")
    began = perf_counter()
    count = await own.ask(own.asins[:PAGE], options=LARGE, include_raw_json=True)
    took = perf_counter() - began
    assert count == PAGE
    peak = _resident(own.pid, "VmHWM")
    taken = [Sample(rate=count / took, p50_ms=1e3 * took, p99_ms=1e3 * took)]
    return [
        harness.figure("gateway idle", taken, idle, unit="MB"),
        harness.figure(f"streaming {PAGE} large books, peak", taken, peak, unit="MB"),
        harness.figure("large books afresh", taken, taken[0].rate, unit="products/s"),
    ]


def _resident(pid: int, field: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


async def _serve_budget(database: str, nats: str, sandbox: str) -> None:
    settings = BudgetSettings(
        port=0,
        database_url=sql.role_url(database, "budget"),
        nats_url=nats,
        keepa_base_url=sandbox,
        max_concurrent_rpcs=1_000,
    )
    async with AsyncExitStack() as stack:
        service = await budget_app.build(settings, stack)
        served = await stack.enter_async_context(
            serve(service.register, service="budget", limits=settings)
        )
        sys.stdout.write(f"{served.address}\n")
        sys.stdout.flush()
        await asyncio.gather(*(supervise(loop) for loop in service.loops))


async def _serve_gateway(database: str, nats: str, sandbox: str, ledger: str) -> None:
    settings = Settings(
        port=0,
        database_url=sql.role_url(database, "keepa_gateway"),
        nats_url=nats,
        keepa_base_url=sandbox,
        keepa_api_key=KEY,
        budget_target=ledger,
        throttle_per_minute=60_000,
        throttle_burst=10_000,
        max_concurrent_rpcs=1_000,
    )
    async with AsyncExitStack() as stack:
        service = await app.build(settings, stack)
        served = await stack.enter_async_context(
            serve(service.register, service="keepa_gateway", limits=settings)
        )
        sys.stdout.write(f"{served.address} {os.getpid()}\n")
        sys.stdout.flush()
        await asyncio.gather(*(supervise(loop) for loop in service.loops))


if __name__ == "__main__":
    telemetry.configure_logging(SimpleNamespace(log_level="WARNING", log_format="console"))
    _, _, role, *arguments = sys.argv
    harness.run({"budget": _serve_budget, "gateway": _serve_gateway}[role](*arguments))
