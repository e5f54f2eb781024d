"""What the gateway's tests stand in: PostgreSQL, NATS, budget and the Keepa stand-in, all real."""

import asyncio
import contextlib
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.budget.v1 import budget_pb2_grpc as budget_rpc
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2_grpc as rpc

from services.budget import app as budget_app
from services.budget.settings import Settings as BudgetSettings
from services.chassis import sql
from services.chassis.cancelling import end
from services.chassis.loops import supervise
from services.chassis.service import Service
from services.chassis.testing import Served, serve
from services.chassis.testing.engines import Databases
from services.keepa_gateway import app as gateway_app
from services.keepa_gateway.settings import Settings
from tests.support import http_client, until

ROOT = Path(__file__).parents[3]
CANARY = "canary0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklm"


@dataclass
class Sandbox:
    """The Keepa stand-in as a process of its own."""

    process: "subprocess.Popen[str]"
    url: str

    async def truth(self) -> list[dict[str, Any]]:
        """Every request it got since its catalogue was read, and what it really cost."""
        lines = (await self._get(f"truth?after={CATALOGUE_READ}")).text.splitlines()
        return [json.loads(line) for line in lines if line]

    async def paid(self) -> list[dict[str, Any]]:
        """The requests that cost something."""
        return [line for line in await self.truth() if line["tokensConsumed"]]

    async def asked(self, path: str) -> list[dict[str, Any]]:
        """The requests for one path."""
        return [line for line in await self.truth() if line["path"].strip("/") == path]

    async def balance(self) -> int:
        """The true balance."""
        return int((await self._get("balance")).json()["tokensLeft"])

    async def fault(self, **order: object) -> None:
        """Tell it to misbehave."""
        async with http_client() as client:
            answer = await client.post(f"{self.url}/_sandbox/faults", json=order)
            assert answer.status_code == 200, answer.text

    async def keep_from_ticks(self, seconds: float) -> None:
        """Wait for the next tick when it is nearer than this, so that none comes meanwhile.

        Budget counts a tick a moment after it came; in that moment the two balances differ.
        """
        told = (await self._get("balance")).json()
        left = (told["nextTick"] - told["now"]) / 1_000

        async def ticked() -> bool:
            return bool((await self._get("balance")).json()["ticks"] > told["ticks"])

        if left < seconds:
            await until(ticked)

    def asins(self, count: int) -> list[str]:
        """Some products of its catalogue that no test has asked for yet."""
        taken, BOOKS[self.url] = BOOKS[self.url][:count], BOOKS[self.url][count:]
        assert len(taken) == count, "the catalogue is used up"
        return taken

    async def _get(self, what: str) -> httpx.Response:
        async with http_client() as client:
            return await client.get(f"{self.url}/_sandbox/{what}")


GATHERING_SECONDS = 10.0  # For which a call waits for the others, however busy the machine is.
BOOKS: dict[str, list[str]] = {}
# The first line of every truth log: how the tests learned what there is to ask for.
CATALOGUE_READ = 1
RICH_CATALOGUE, POOR_CATALOGUE = 2_000, 100


@contextlib.contextmanager
def sandbox_process(*options: str) -> Iterator[Sandbox]:
    """Run a stand-in for the length of a block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.sandbox", "--port", "0", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        greeting = process.stdout.readline()
        url = next(word for word in greeting.split() if word.startswith("http"))
        BOOKS[url] = catalogue(url, options)
        yield Sandbox(process, url)
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def catalogue(url: str, options: tuple[str, ...]) -> list[str]:
    """The ASINs of a stand-in, asked for before any ledger watches its balance."""
    key = options[options.index("--key") + 1]
    size = RICH_CATALOGUE if "2000" in options else POOR_CATALOGUE
    selection = {"rootCategory": [283155], "page": 0, "perPage": size, "productType": [0]}
    given = {"domain": "1", "key": key, "selection": json.dumps(selection)}
    answer = httpx.get(f"{url}/query", params=given, trust_env=False, timeout=60).json()
    return list(answer["asinList"])


@dataclass
class World:
    """What a test talks to."""

    sandbox: Sandbox
    databases: Databases
    database_url: str
    nats_url: str
    stack: AsyncExitStack
    ledger: Any = None
    ledger_served: Served | None = None
    gateways: list[Any] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    settings: dict[str, object] = field(default_factory=dict)

    def role(self, service: str) -> str:
        """The URL of a service's own role."""
        return self.databases.role_url(self.database_url, service)

    @property
    def gateway(self) -> Any:
        """The first replica's stub."""
        return self.gateways[0]

    async def start_budget(self) -> None:
        """Start the real budget service."""
        settings = BudgetSettings(
            database_url=self.role("budget"),
            nats_url=self.nats_url,
            keepa_base_url=self.sandbox.url,
            keepa_tick_seconds=self.settings.get("keepa_tick_seconds", 60.2),
        )
        self.ledger_served = await self._serve(await budget_app.build(settings, self.stack))
        self.ledger = budget_rpc.BudgetServiceStub(self.ledger_served.channel)

    async def start_gateway(self, **settings: object) -> Any:
        """Start one more replica and return its stub."""
        assert self.ledger_served is not None
        chosen = Settings(
            **{
                "database_url": self.role("keepa_gateway"),
                "nats_url": self.nats_url,
                "keepa_base_url": self.sandbox.url,
                "keepa_api_key": CANARY,
                "budget_target": self.ledger_served.address,
                "throttle_per_minute": 60_000,
                "throttle_burst": 1_000,
                "hold_margin_seconds": 1,
                **self.settings,
                **settings,
            }
        )
        service = await gateway_app.build(chosen, self.stack)
        self.services.append(service)
        self.gateways.append(rpc.KeepaGatewayServiceStub((await self._serve(service)).channel))
        return self.gateways[-1]

    async def _serve(self, service: Service) -> Served:
        for loop in service.loops:
            task = asyncio.create_task(supervise(loop))
            self.stack.push_async_callback(end, task)
        for finish in service.finish:
            self.stack.push_async_callback(finish)
        return await self.stack.enter_async_context(
            serve(service.register, service=service.name, full_names=service.full_names)
        )

    async def ready(self) -> None:
        """Wait until the balance is known."""

        async def known() -> bool:
            accounts = await self.ledger.ListAccounts(budget.ListAccountsRequest())
            return any(one.state == budget.BALANCE_STATE_KNOWN for one in accounts.accounts)

        await until(known)

    async def account(self) -> budget.Account:
        """The account as budget knows it."""
        request = budget.GetAccountRequest(name="accounts/default")
        return (await self.ledger.GetAccount(request)).account

    async def verified(self) -> budget.VerifyLedgerResponse:
        """The ledger's own audit."""
        return await self.ledger.VerifyLedger(budget.VerifyLedgerRequest())

    async def holds(self, state: int) -> list[budget.Reservation]:
        """The reservations in a state."""
        request = budget.ListReservationsRequest(state=state, page_size=1000)
        return list((await self.ledger.ListReservations(request)).reservations)


def products(asins: list[str], **more: object) -> pb.GetProductsRequest:
    """Ask for products."""
    return pb.GetProductsRequest(**{"request_id": str(uuid.uuid4()), "asins": asins, **more})


async def collected(call: Any) -> dict[str, pb.ProductResult]:
    """Read a stream of products, by what was asked for."""
    return {one.requested: one async for answer in call for one in answer.results}


_WAITS = "select count(*) from pg_locks where not granted and relation = $1::text::regclass"


@asynccontextmanager
async def held(
    world: World, table: str, *, mode: str = "exclusive"
) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Let nobody write to a table for the length of a block; tells how many wait for it.

    In mode "access exclusive" nobody reads it either.
    """
    url = sql.plain_url(world.database_url)
    holder, watcher = await asyncpg.connect(url), await asyncpg.connect(url)

    async def waiting() -> int:
        return int(await watcher.fetchval(_WAITS, table))

    try:
        async with holder.transaction():
            await holder.execute(f"lock table {table} in {mode} mode")
            yield waiting
    finally:
        await holder.close()
        await watcher.close()
