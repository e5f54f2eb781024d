"""Budget as it is run: several processes on one database and one broker, killed and restarted."""
# ruff: noqa: D102 - the names say it

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import nats
import pytest
from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import budget_pb2_grpc, events_pb2

from deploy.local.ports import free_port
from services.chassis.rpc import client
from tests.contract.budget.support import commit, release, report, reserve, seen, span
from tests.support import refusal

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(150)]

ROOT = Path(__file__).parents[3]
START_SECONDS = 60.0  # Far more than a start takes; others may want the machine, too.
Budget = budget_pb2_grpc.BudgetServiceStub


class Process:
    """One budget process that answers."""

    def __init__(self, database_url: str, nats_url: str) -> None:
        self.port = free_port()
        self._environment = {
            **os.environ,
            "BUDGET_DATABASE_URL": database_url,
            "NATS_URL": nats_url,
            "BUDGET_PORT": str(self.port),
            "LOG_LEVEL": "ERROR",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'protos' / 'gen'}",
        }
        self._running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.budget", cwd=ROOT, env=self._environment
        )
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            async with asyncio.timeout(START_SECONDS):
                await channel.channel_ready()

    async def end(self, number: signal.Signals) -> int:
        assert self._running is not None
        with suppress(ProcessLookupError):
            self._running.send_signal(number)
        return await self._running.wait()

    @asynccontextmanager
    async def stub(self) -> AsyncIterator[Budget]:
        async with client.create_channel(f"127.0.0.1:{self.port}", caller="test") as channel:
            yield Budget(channel)


@pytest.fixture
async def pair(
    fresh_service_database: Callable[[str], str], fresh_nats_server: str
) -> AsyncIterator[list[Process]]:
    url = fresh_service_database("budget")
    processes = [Process(url, fresh_nats_server) for _ in range(2)]
    try:
        await asyncio.gather(*(process.start() for process in processes))
        yield processes
    finally:  # Also of those that did not come up in time.
        await asyncio.gather(*(process.end(signal.SIGKILL) for process in processes))


RACERS, IDS = 8, 100  # Every id is asked for by two of the racers.
SHARE = 2 * IDS // RACERS


async def _race(ports: list[int], number: int) -> list[tuple[str, str]]:
    """Run one racer to its end; return each id with what it was told."""
    first = number % (RACERS // 2) * SHARE
    racer = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("racer.py")),
        *map(str, (*ports, number, first, SHARE)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "protos" / "gen")},
    )
    out, _ = await racer.communicate()
    assert racer.returncode == 0
    lines = (line.split() for line in out.decode().splitlines())
    return [(asked, told) for asked, told in lines]


async def test_eight_processes_race_for_the_last_tokens_while_either_replica_is_killed(
    pair: list[Process],
) -> None:
    """INV-1, INV-2, K1-K3: whoever dies at whatever moment, a repeated id is one reservation."""
    one, two = pair
    async with two.stub() as stub:
        # No tick adds to them, however long it takes.
        unmoved = seen(210, refill_wait_duration=span(3_600))
        await stub.ReportBalance(report(210, observation=unmoved))
    ports = [one.port, two.port]
    racing = asyncio.gather(*(_race(ports, number) for number in range(RACERS)))
    for victim in (one, two, one):
        await asyncio.sleep(0.3)
        await victim.end(signal.SIGKILL)
        await victim.start()
    answers = [answer for told in await racing for answer in told]

    granted = {(asked, told) for asked, told in answers if told != "-"}
    async with two.stub() as stub:
        account = (await stub.GetAccount(pb.GetAccountRequest(name="accounts/default"))).account
        verified = await stub.VerifyLedger(pb.VerifyLedgerRequest())
    assert len(answers) == 2 * IDS
    assert len(granted) == len(dict(granted)) == 66  # 200 tokens above the floor, 3 each.
    assert account.available_token_count == 210 - 198
    assert verified.consistent, verified.violations


async def test_the_ledger_is_announced_in_order_and_survives_its_relay(
    pair: list[Process], fresh_nats_server: str
) -> None:
    """INV-9: each entry that is an event is published at least once, whoever dies."""
    one, two = pair
    async with one.stub() as stub:
        await stub.ReportBalance(report(40))
        held = (await stub.ReserveTokens(reserve(5))).reservation
        await stub.ReleaseReservation(release(held))
    await one.end(signal.SIGKILL)
    async with two.stub() as stub:
        spent = (await stub.ReserveTokens(reserve(5))).reservation
        await stub.CommitReservation(commit(spent, 5, observation=seen(12)))
        sequence = (
            await stub.GetAccount(pb.GetAccountRequest(name="accounts/default"))
        ).account.sequence

    broker = await nats.connect(fresh_nats_server)
    read = await broker.jetstream().subscribe(
        "arbitragevault.budget.v1.*", stream="ARBITRAGEVAULT_BUDGET", ordered_consumer=True
    )
    heard: list[Any] = []
    ended: list[pb.Reservation] = []
    newest, ids = pb.Account(), set[str]()
    async with asyncio.timeout(20):
        # A balance is told as it is when it is told: it may be ahead of what else is to come.
        while newest.sequence < sequence or spent.name not in [each.name for each in ended]:
            message = await read.next_msg(timeout=20)
            if message.headers["Nats-Msg-Id"] in ids:
                continue
            ids.add(message.headers["Nats-Msg-Id"])
            heard.append(_event(message.subject, message.data))
            if isinstance(heard[-1], events_pb2.BalanceChanged):
                newest = heard[-1].account
            if isinstance(heard[-1], events_pb2.ReservationEnded):
                ended.append(heard[-1].reservation)
    await read.unsubscribe()
    await broker.close()

    assert newest.available_token_count == 12
    assert [each.name for each in ended] == [held.name, spent.name]
    assert ended[1].committed_token_count == 5
    low = [each for each in heard if isinstance(each, events_pb2.BalanceLow)]
    assert [each.threshold_token_count for each in low] == [50, 20]
    assert low[1].message == "Keepa token balance low: 12 tokens (safety buffer: 20)"
    drift = [each for each in heard if isinstance(each, events_pb2.DriftDetected)]
    assert [(each.kind, each.token_count) for each in drift] == [(pb.LEDGER_ENTRY_KIND_FOREIGN, 23)]


async def test_an_orderly_stop_ends_with_success_and_loses_nothing(pair: list[Process]) -> None:
    """K20: callers that wait are sent on to another replica, and their places are kept."""
    one, two = pair
    async with one.stub() as stub:
        await stub.ReportBalance(report(15))
        waiting = asyncio.ensure_future(
            stub.ReserveTokens(reserve(30, max_wait_duration=span(20)), timeout=25)
        )
        kept = pb.ListReservationsRequest(state=pb.RESERVATION_STATE_WAITING)
        while not (await stub.ListReservations(kept)).reservations:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

        code = await one.end(signal.SIGTERM)
        stopped = await refusal(waiting)

    assert code == 0
    assert stopped.reason == "SERVER_STOPPING"
    async with two.stub() as stub:
        queue = (await stub.ListReservations(kept)).reservations
        assert [each.token_count for each in queue] == [30]
        assert (await stub.VerifyLedger(pb.VerifyLedgerRequest())).consistent


def _event(subject: str, data: bytes) -> object:
    return getattr(events_pb2, subject.rpartition(".")[2]).FromString(data)
