"""A restart with 1,000,000 entries in the ledger: from a snapshot, against a full replay.

The process is the one that `python -m services.budget` runs; serving means that it has answered
GetAccount, its imports included. The two states are compared field by field afterwards.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import grpc
import psutil
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceStub

from deploy.local.nats import Nats
from deploy.local.ports import free_port
from deploy.local.postgres import Postgres
from services.budget.domain.rules import STANDARD
from services.budget.storage.readings import PostgresReadings
from services.chassis import migrate, sql
from services.chassis.rpc.client import create_channel
from tests.bench import harness
from tests.bench.harness import Figure, Sample

ENTRIES = 1_000_000
FILL = """
insert into budget.ledger (account, sequence, kind, at, tokens, available, reservation, caller,
    action, endpoint, request_id, content, fact)
select 'default', 2 * n + step, case step when 0 then 'HELD' else 'COMMITTED' end,
    now() - interval '30 days' + n * interval '5 seconds', 1, 1000, id, 'bench', '', '/product',
    case step when 0 then id else gen_random_uuid() end, '',
    case step
        when 0 then json_build_object('expires_at', now(), 'terms', json_build_object('account',
            'default', 'kind', 'CALL', 'priority', 1, 'gate', 0, 'hold', 'PT3M'))
        else '{"tokens": 1, "overrun": 0, "covered": true, "counted": false}' end
from (select n, md5('call' || n)::uuid as id from generate_series(1, $1) as n) as calls,
    generate_series(0, 1) as step
"""
SEEN = """
insert into budget.ledger (account, sequence, kind, at, tokens, available, caller, action,
    endpoint, content, fact)
values ('default', 1, 'OBSERVED', now(), 1000, 1000, '', '', '', '', $1)
"""
OBSERVED = (
    '{"observation": {"arrived_ms": 1, "tokens": 1000, "refill_in_ms": 1, "refill_rate": 20},'
    ' "after_sequence": 0, "newest": true, "closes": true, "doubt": 0}'
)
DONE = """
insert into budget.relay_cursors (account, sequence, announced_sequence, announced_at)
select 'default', max(sequence), 0, now() from budget.ledger
"""


async def measure(rounds: int, seconds: float) -> list[Figure]:
    """Measure the part."""
    with Postgres.start() as postgres, Nats.start() as nats:
        await migrate.migrate(postgres.url, ["budget"])
        await fill(postgres.url, ENTRIES)
        url = sql.role_url(postgres.url, "budget")
        replayed = await _replay_and_keep(url)
        starts = [await _start(url, nats.url) for _ in range(rounds)]
    taken = [Sample(rate=1 / took, p50_ms=1e3 * took, p99_ms=1e3 * took) for took, _ in starts]
    resident = [Sample(rate=0, p50_ms=0, p99_ms=0) for _ in starts]
    millions = f"{ENTRIES:,} entries"
    middle = sorted(starts)[len(starts) // 2]
    return [
        harness.figure(
            f"restart to serving, {millions}", taken, middle[0], ("full replay", replayed), "s"
        ),
        harness.figure(f"memory after it, {millions}", resident, middle[1], unit="MB"),
    ]


async def fill(database_url: str, entries: int) -> None:
    """Write a ledger of observed, held and committed calls, as it would be after years."""
    connection = await asyncpg.connect(sql.plain_url(database_url))
    try:
        await connection.execute(SEEN, OBSERVED)
        await connection.execute(FILL, (entries - 1) // 2)
        await connection.execute(DONE)
        await connection.execute("analyze budget.ledger")
    finally:
        await connection.close()


async def _replay_and_keep(url: str) -> float:
    """Replay everything once, keep a snapshot, and load from it: both states must be equal."""
    engine = sql.create_engine(url, application="bench")
    ledger = PostgresReadings(sql.Driver(engine, kept=0))
    began = time.perf_counter()
    state = await ledger.load("default", STANDARD)
    took = time.perf_counter() - began
    await ledger.keep(state)
    assert state.sequence >= ENTRIES - 1
    assert await ledger.load("default", STANDARD) == state
    await engine.dispose()
    return took


async def _start(url: str, nats_url: str) -> tuple[float, float]:
    """Start the service and ask it; return the seconds, and its resident megabytes."""
    began = time.perf_counter()
    async with _process(url, nats_url) as (process, port):
        async with create_channel(f"127.0.0.1:{port}", caller="bench") as channel:
            request = budget.GetAccountRequest(name="accounts/default")
            while True:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    answer = await BudgetServiceStub(channel).GetAccount(request, timeout=5)
                    break
                await asyncio.sleep(0.01)
        assert answer.account.sequence >= ENTRIES - 1
        took = time.perf_counter() - began
        return took, psutil.Process(process.pid).memory_info().rss / 2**20


@asynccontextmanager
async def _process(
    url: str, nats_url: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    port = free_port()
    environment = {
        **os.environ,
        "BUDGET_DATABASE_URL": url,
        "NATS_URL": nats_url,
        "BUDGET_PORT": str(port),
        "LOG_LEVEL": "ERROR",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.budget", cwd=harness.ROOT, env=environment
    )
    try:
        yield process, port
    finally:
        process.terminate()
        await process.wait()
