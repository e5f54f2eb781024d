"""The ledger against the truth log of the Keepa stand-in: each token once, and for a reason."""

from dataclasses import dataclass
from typing import Any

import asyncpg
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis import sql
from tests.chaos.matching import unexplained
from tests.integration.keepa_gateway.world import CATALOGUE_READ, World
from tests.support import until

COMPARING_SECONDS = 5.0  # Far more than it takes to compare.
# Every call that was sent, with the instant at which its tokens were set aside, and with what the
# ledger says in the end that it cost.
CALLS = """
    select a.*, held.at as held_at, held.tokens as held_tokens, booked.tokens as booked
    from keepa_gateway.attempts a
    join budget.ledger held on held.reservation = substr(a.reservation, 14)::uuid and held.kind = 'HELD'
    left join lateral (
        select tokens from budget.ledger e
        where e.reservation = held.reservation and e.kind in ('COMMITTED', 'SETTLED')
        order by sequence desc limit 1) booked on true
    where a.state <> 'fenced'"""
FLOWS = """select kind, coalesce(sum(tokens), 0)::bigint as tokens
    from budget.ledger where kind in ('FOREIGN', 'CREDIT', 'OVERFLOW') group by kind"""
TWICE = """select request_id from keepa_gateway.attempts, unnest(subjects) subject
    where state = 'ended' and verdict = 'answered' and consumed > 0
    group by request_id, subject having count(*) > 1"""


@dataclass(frozen=True)
class Books:
    """Both sides of one world's accounts.

    Attributes:
        lines: What Keepa did since the world began.
        calls: What the gateway sent since then.
        flows: Tokens of the ledger's entries that no call of ours explains, by kind.
    """

    lines: list[dict[str, Any]]
    calls: list[dict[str, Any]]
    flows: dict[str, int]
    twice: list[Any]
    spent: int

    @property
    def priced(self) -> list[dict[str, Any]]:
        """What was charged to somebody who asked with our key."""
        lines = self.lines
        return [x for x in lines if x["kind"] == "request" and x["tokensConsumed"] > 0]

    @property
    def charged(self) -> int:
        """What Keepa really took for our requests."""
        return sum(line["tokensConsumed"] for line in self.priced)

    def faults(self) -> list[str]:
        """Name everything that does not agree; nothing when all tokens are accounted for."""
        found = unexplained(self.priced, self.calls)
        found += [f"INV-12: {row} was paid for twice" for row in self.twice]
        for call in self.calls:
            found += _faults_of(call)
        if self.spent != self.charged:
            found.append(f"S4: the ledger has {self.spent}, Keepa took {self.charged}")
        took, gave = self.moved("foreign"), -self.moved("credit")
        if self.flows.get("FOREIGN", 0) - self.flows.get("CREDIT", 0) != took - gave:
            found.append(f"INV-8: {self.flows}, but others took {took}, Keepa gave {gave}")
        return found

    def moved(self, kind: str) -> int:
        """Tokens that went without a request of ours."""
        return sum(line["tokensConsumed"] for line in self.lines if line["kind"] == kind)


def _faults_of(call: dict[str, Any]) -> list[str]:
    """S3: what Keepa said a call cost is what is booked for it, and what was held covers it."""
    where = f"{call['endpoint']} {call['attempt_id']} ({call['verdict']})"
    booked = call["booked"] or 0
    found = []
    if call["consumed"] is not None and call["consumed"] != booked:
        found.append(f"S3: {where} cost {call['consumed']}, booked are {booked}")
    if booked > call["held_tokens"]:
        found.append(f"INV-1: {where} cost {booked}, held were only {call['held_tokens']}")
    return found


async def read(world: World) -> Books:
    """Read both sides as they stand, without what was asked before the world began."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    try:
        calls = [dict(row) for row in await connection.fetch(CALLS)]
        flows = {row["kind"]: row["tokens"] for row in await connection.fetch(FLOWS)}
        twice = [row["request_id"] for row in await connection.fetch(TWICE)]
    finally:
        await connection.close()
    lines = [line for line in await world.sandbox.truth() if line["seq"] > CATALOGUE_READ]
    spent = (await world.account()).spent_token_count
    return Books(lines, calls, flows, twice, spent)


async def balanced(world: World, *, seconds: float = 40.0) -> Books:
    """Wait until nothing is open, then insist that ledger and truth say the same."""

    async def calm() -> bool:
        account = await world.account()
        return account.held_token_count == account.unsettled_token_count == 0

    await until(calm, seconds)
    await world.sandbox.keep_from_ticks(COMPARING_SECONDS)
    await world.gateway.CheckConnection(pb.CheckConnectionRequest())
    books = await read(world)
    verified = await world.verified()
    assert not books.faults(), books.faults()
    assert verified.consistent, verified.violations
    assert (await world.account()).balance_token_count == await world.sandbox.balance()
    return books
