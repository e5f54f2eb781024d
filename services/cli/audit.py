"""Compares what the ledger booked with what the Keepa sandbox really charged."""

import asyncio
import json
from dataclasses import dataclass

import httpx
from arbitragevault.budget.v1 import budget_pb2 as budget

from services.cli.patience import LONG_PATIENCE_SECONDS, patiently
from services.cli.stack import Stack

ACCOUNT = "accounts/default"
SANDBOX_TIMEOUT_SECONDS = 10.0
SETTLING_SECONDS = 20.0
"""How long a call that was cut off may take to be booked."""
SETTLING_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Reading:
    """Both sides at one moment, in tokens.

    Attributes:
        booked: What the ledger says our calls consumed.
        unsettled: Upper bounds of calls whose answer was lost.
        charged: What the sandbox charged us.
        lowest: The lowest balance the sandbox ever had.
        balance: What is left at the sandbox.
        projected: What the ledger believes is left.
    """

    booked: int
    unsettled: int
    charged: int
    lowest: int
    balance: int
    projected: int


@dataclass(frozen=True)
class Audit:
    """What changed on both sides between two readings."""

    before: Reading
    after: Reading

    @property
    def booked(self) -> int:
        """Tokens that the ledger booked in between."""
        return self.after.booked - self.before.booked

    @property
    def charged(self) -> int:
        """Tokens that were really charged in between."""
        return self.after.charged - self.before.charged

    @property
    def balanced(self) -> bool:
        """Tell whether every token is accounted for, and none was spent that was not there.

        A call whose answer was lost is held at its upper bound until a later balance settles it:
        so much, and nothing else, may be charged and not yet booked.
        """
        missing = self.charged - self.booked
        return 0 <= missing <= self.after.unsettled and self.after.lowest >= 0


async def read(stack: Stack, sandbox_url: str) -> Reading:
    """Read both sides."""
    request = budget.GetAccountRequest(name=ACCOUNT)
    answer = await patiently(
        lambda: stack.budget.GetAccount(request), seconds=LONG_PATIENCE_SECONDS
    )
    account = answer.account
    async with httpx.AsyncClient(
        base_url=sandbox_url, timeout=SANDBOX_TIMEOUT_SECONDS, trust_env=False
    ) as client:
        log = (await client.get("/_sandbox/truth")).raise_for_status().text
        sandbox = (await client.get("/_sandbox/balance")).raise_for_status().json()
    lines = [json.loads(line) for line in log.splitlines() if line]
    costs = [line["tokensConsumed"] for line in lines if line["kind"] == "request"]
    return Reading(
        booked=account.spent_token_count,
        unsettled=account.unsettled_token_count,
        charged=sum(costs),
        lowest=sandbox["minimum"],
        balance=sandbox["tokensLeft"],
        projected=account.balance_token_count,
    )


async def compare(stack: Stack, sandbox_url: str, before: Reading) -> Audit:
    """Compare both sides, allowing the ledger a moment to book what is settled late.

    A gateway or a budget that was killed in between settles the calls of that moment some
    seconds after it is back; until then they are held, so that nothing can be spent twice.
    """
    clock = asyncio.get_running_loop().time
    give_up = clock() + SETTLING_SECONDS
    while True:
        compared = Audit(before, await read(stack, sandbox_url))
        if compared.balanced or clock() > give_up:
            return compared
        await asyncio.sleep(SETTLING_PAUSE_SECONDS)
