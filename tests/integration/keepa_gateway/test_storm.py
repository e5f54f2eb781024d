"""Everything at once: many callers, two replicas, every fault; then the books are compared."""

import asyncio
import random

import grpc.aio
import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from tests.integration.keepa_gateway.conftest import MakeWorld
from tests.integration.keepa_gateway.world import (
    CANARY,
    World,
    collected,
    products,
    sandbox_process,
)
from tests.support import until

pytestmark = pytest.mark.anyio

FAULTS = (
    {"fault": "delay", "milliseconds": 200},
    {"fault": "truncated_gzip"},
    {"fault": "close", "at": "middle"},
    {"fault": "garbage"},
    {"fault": "status", "status": 500},
    {"fault": "lying_balance", "tokensLeft": 10**8},
)
SHORT = {"plain_seconds": 4.0, "list_seconds": 4.0, "hold_margin_seconds": 1.0}
SEED = random.SystemRandom().randrange(10**6)


async def test_after_a_storm_the_ledger_agrees_with_keepa(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INV-8, INV-11, INV-12: every priced call was held before, and booked at its true cost."""
    monkeypatch.setattr("services.keepa_gateway.domain.breaker.FAILURES_TO_OPEN", 10**6)
    dice = random.Random(SEED)
    with sandbox_process("--rate", "2000", "--key", CANARY) as sandbox:
        world = await make_world(sandbox, gateways=2, **SHORT)
        asins = sandbox.asins(60)
        callers = [caller(world, asins, random.Random(dice.random())) for _ in range(12)]
        told = await asyncio.gather(trouble(world, dice), *callers)
        await sandbox.fault(fault="clear")

        async def calm() -> bool:
            account = await world.account()
            return account.held_token_count == account.unsettled_token_count == 0

        await until(calm)
        await world.gateway.CheckConnection(pb.CheckConnectionRequest())

        spent = sum(line["tokensConsumed"] for line in await sandbox.truth())
        account = await world.account()
        verified = await world.verified()
    assert sum(filter(None, told)) <= spent, f"seed {SEED}"
    assert account.spent_token_count == spent, f"seed {SEED}"
    assert verified.consistent, f"seed {SEED}: {verified.violations}"
    assert await foreign(world) == 0, f"seed {SEED}"


async def trouble(world: World, dice: random.Random) -> int:
    """Arm one fault after the other."""
    for _ in range(14):
        await world.sandbox.fault(**dice.choice(FAULTS), path="/product")
        await asyncio.sleep(dice.uniform(0.02, 0.15))
    return 0


async def caller(world: World, asins: list[str], dice: random.Random) -> int:
    """Ask for this and that, sometimes afresh, sometimes going away; returns what it paid."""
    paid = 0
    for _ in range(8):
        some = dice.sample(asins, dice.randint(1, 6))
        age = Duration(seconds=dice.choice([0, 0, 86400]))
        call = dice.choice(world.gateways).GetProducts(products(some, max_age_duration=age))
        if dice.random() < 0.2:
            asyncio.get_running_loop().call_later(dice.uniform(0, 0.1), call.cancel)
        try:
            answers = await collected(call)
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            continue
        paid += sum(one.token_count for one in answers.values())
    return paid


async def foreign(world: World) -> int:
    """Tokens that the ledger could not explain."""
    request = budget.ListLedgerEntriesRequest(kind=budget.LEDGER_ENTRY_KIND_FOREIGN, page_size=1000)
    entries = (await world.ledger.ListLedgerEntries(request)).entries
    return sum(entry.token_count for entry in entries)
