"""How soon a queued caller is granted after the tick that brings its tokens, on two replicas.

Keepa's tick is scaled to 0.6 s, and with it the slack that makes a tick certain; every tick
brings exactly the tokens that the callers wait for, half of them at each replica.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceStub
from google.protobuf.duration_pb2 import Duration

from deploy.local.nats import Nats
from deploy.local.postgres import Postgres
from services.budget.domain.rules import Rules
from services.budget.settings import Settings
from services.chassis import migrate, sql, telemetry
from tests.bench import harness
from tests.bench.harness import Figure, Sample
from tests.bench.reserve import serve_budget

TICK_SECONDS = 0.6
RULES = Rules(tick=timedelta(seconds=TICK_SECONDS))
CALLERS = 6  # One token each, at every tick.
FLOOR = 10
LONGEST = Duration(seconds=20)


async def measure(rounds: int, seconds: float) -> list[Figure]:
    """Measure the part."""
    with Postgres.start() as postgres, Nats.start() as nats:
        await migrate.migrate(postgres.url, ["budget"])
        async with (
            harness.server(__name__, postgres.url, nats.url) as one,
            harness.server(__name__, postgres.url, nats.url) as two,
            harness.channels(one, 1) as first,
            harness.channels(two, 1) as second,
        ):
            stubs = [BudgetServiceStub(channel) for channel in (*first, *second)]
            samples = [await _round(stubs, seconds) for _ in range(rounds + 1)][1:]
    value = sorted(each.p99_ms for each in samples)[len(samples) // 2]
    return [harness.figure(f"grant after a tick, {CALLERS} queued callers, p99", samples, value)]


async def _round(stubs: list[BudgetServiceStub], seconds: float) -> Sample:
    first_tick = await _start_at_the_floor(stubs[0])
    end = time.perf_counter() + max(seconds, 6 * TICK_SECONDS)
    late: list[float] = []

    async def caller(stub: BudgetServiceStub) -> None:
        while time.perf_counter() < end:
            asked = budget.ReserveTokensRequest(
                request_id=str(uuid4()), token_count=1, max_wait_duration=LONGEST
            )
            held = (await stub.ReserveTokens(asked)).reservation
            late.append(((datetime.now(UTC) - first_tick) % RULES.spacing).total_seconds())
            spent = budget.CommitReservationRequest(
                request_id=str(uuid4()), name=held.name, consumed_token_count=1
            )
            await stub.CommitReservation(spent)

    await asyncio.gather(*(caller(stubs[number % 2]) for number in range(CALLERS)))
    return harness.sample(late, len(late) / seconds)


async def _start_at_the_floor(stub: BudgetServiceStub) -> datetime:
    """Report a balance that leaves nothing to grant; return when its first tick is certain."""
    seen = budget.Observation(token_count=FLOOR, refill_rate=CALLERS)
    seen.keepa_time.FromDatetime(datetime.now(UTC))
    seen.refill_wait_duration.FromTimedelta(RULES.tick)
    account = (await stub.GetAccount(budget.GetAccountRequest(name="accounts/default"))).account
    request = budget.ReportBalanceRequest(
        request_id=str(uuid4()), observation=seen, after_sequence=account.sequence
    )
    told = (await stub.ReportBalance(request)).account
    return told.next_tick_time.ToDatetime(UTC)


async def _serve(database_url: str, nats_url: str) -> None:
    settings = Settings(
        port=0,
        database_url=sql.role_url(database_url, "budget"),
        nats_url=nats_url,
        keepa_tick_seconds=TICK_SECONDS,
        keepa_base_url="http://127.0.0.1:1",
    )
    await serve_budget(settings)


if __name__ == "__main__":
    telemetry.configure_logging(SimpleNamespace(log_level="ERROR", log_format="console"))
    harness.run(_serve(*sys.argv[2:]))
