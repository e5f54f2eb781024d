"""The properties that must hold after any run, each a query over what is left of it."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import grpc.aio
import nats
from arbitragevault.autosourcing.v1 import events_pb2
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.budget.v1 import events_pb2 as budget_events
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as gateway

from tests.chaos.load import Clients, Load
from tests.chaos.matching import unexplained
from tests.chaos.stack import Stack
from tests.support import http_client

REST_SECONDS = 90.0
POLL_SECONDS = 1.0
ACCOUNT = "accounts/default"
PUBLISHERS = ("keepa_gateway", "discovery", "autosourcing")

# What must become zero once the faults have stopped, and the sentence for what does not.
COMING_TO_REST = {
    "jobs that have not ended": """select count(*) from autosourcing.jobs
        where state in ('PENDING', 'RUNNING')""",
    "jobs whose end was not told": """select count(*) from autosourcing.jobs
        where not (document->>'finished')::bool""",
    "steps that were not answered": """select count(*) from discovery.steps
        where answered_at is null""",
    "calls without an outcome": """select count(*) from keepa_gateway.attempts
        where state = 'sent'""",
    "calls that budget may not know of": """select count(*) from keepa_gateway.attempts
        where settled_at is null and state = 'ended'""",
    "claims of nobody": "select count(*) from keepa_gateway.claims",
    "entries of the ledger not told": """select count(*) from budget.ledger l
        join budget.relay_cursors c using (account) where l.sequence > c.sequence""",
    **{
        f"events of {name} not sent": f"select count(*) from {name}.outbox where sent_at is null"
        for name in PUBLISHERS
    },
}
# A search of a process that was killed leaves its envelope to expire; a job never does.
OPEN_HOLDS = """select h.reservation::text, h.at::text, h.action, h.endpoint, h.job::text, h.tokens,
        h.parent is null and h.job is null
            and (h.fact->>'expires_at')::timestamptz > clock_timestamp() as orphan
    from budget.ledger h where h.kind = 'HELD' and not exists (select from budget.ledger e
        where e.reservation = h.reservation and e.sequence > h.sequence
            and e.kind in ('COMMITTED', 'RELEASED', 'UNKNOWN')) order by h.sequence"""
ENDINGS = """select sequence from budget.ledger where account = 'default'
    and kind in ('COMMITTED', 'RELEASED', 'UNKNOWN', 'SETTLED') order by sequence"""
# What must be zero at any time.
NEVER = {
    "dead letters of autosourcing": "select count(*) from autosourcing.dead_letters",
    "dead letters of discovery": "select count(*) from discovery.dead_letters",
    "INV-12: calls paid for again under one request id": """
        select count(*) from (
            select request_id, s from keepa_gateway.attempts, unnest(subjects) s
            where state = 'ended' and (verdict = 'answered' or verdict = 'unknown'
                or consumed > 0) group by 1, 2 having count(*) > 1) twice""",
    "INV-3: reservations that ended twice": """
        select count(*) from (
            select reservation from budget.ledger
            where kind in ('COMMITTED', 'UNKNOWN')
                or (kind = 'RELEASED' and fact->>'reason' <> 'WAIT_ENDED')
            group by reservation, kind having count(*) > 1) twice""",
    "jobs that tell another cost than the ledger": """
        select count(*) from autosourcing.jobs j where j.state = 'COMPLETED' and j.tokens <> (
            select coalesce(sum(case kind when 'COMMITTED' then tokens - coalesce(
                (fact->'before'->>'committed')::bigint, 0) else tokens end), 0)
            from budget.ledger l where l.parent is not null and l.job = j.id
                and l.kind in ('COMMITTED', 'SETTLED'))
            and not exists (select from budget.ledger u where u.job = j.id
                and u.kind = 'UNKNOWN')""",
    "S11: rows of the ledger that were changed": """
        select coalesce(sum(n_tup_upd + n_tup_del), 0) from pg_stat_user_tables
        where schemaname = 'budget' and relname = 'ledger'""",
}


@dataclass
class Auditor:
    """Looks at everything once the faults have stopped.

    Attributes:
        foreign: Whether somebody else used the key in this run.
    """

    stack: Stack
    clients: Clients
    load: Load
    foreign: bool
    violations: list[str] = field(default_factory=list)
    facts: dict[str, int] = field(default_factory=dict)

    async def audit(self) -> None:
        """Wait for rest, then check all properties."""
        database = await asyncpg.connect(self.stack.database_url)
        try:
            await self._rest(database)
            await self._database(database)
            await self._truth(database)
            await self._events(database)
        finally:
            await database.close()
        await self._ledger()
        self._client_side()

    def _must(self, holds: object, sentence: str) -> None:
        if not holds:
            self.violations.append(sentence)

    async def _rest(self, database: Any) -> None:
        until = asyncio.get_running_loop().time() + REST_SECONDS
        while True:
            left = [what for what, sql in COMING_TO_REST.items() if await database.fetchval(sql)]
            if any(not row["orphan"] for row in await database.fetch(OPEN_HOLDS)):
                left.append("tokens held")
            if (await self._account()).unsettled_token_count:
                left.append("tokens unsettled")
            if not left:
                break
            if asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(POLL_SECONDS)
        for what, sql in COMING_TO_REST.items():
            count = await database.fetchval(sql)
            self._must(not count, f"L: {count} {what} after {REST_SECONDS:.0f} s of rest")
        orphans = 0
        for row in await database.fetch(OPEN_HOLDS):
            if row["orphan"]:
                orphans += row["tokens"]
            else:
                self.violations.append(f"L1: still open: {dict(row)}")
        account = await self._account()
        held = account.held_token_count
        self._must(held <= orphans, f"L1: {held} tokens held, at most {orphans} will expire")
        self.facts["left_to_expire"] = orphans
        unsettled = account.unsettled_token_count
        self._must(not unsettled, f"L7: {unsettled} tokens unsettled")
        rest = asyncio.get_running_loop().time() - (until - REST_SECONDS)
        self.facts["seconds_to_rest"] = round(rest)

    async def _account(self) -> Any:
        answer = await self._ask(
            "budget", lambda stub: stub.GetAccount(budget.GetAccountRequest(name=ACCOUNT))
        )
        return answer.account

    async def _ask(self, service: str, call: Callable[[Any], Awaitable[Any]]) -> Any:
        """Ask one replica, then the other: they may still be starting."""
        for replica in range(60):
            try:
                return await call(self.clients.of(service, replica))
            except grpc.aio.AioRpcError as error:
                last = f"{error.code().name} {error.details()}"
                await asyncio.sleep(0.5)
        raise SystemExit(f"{service} does not answer after the faults have stopped: {last}")

    async def _database(self, database: Any) -> None:
        for what, sql in NEVER.items():
            count = await database.fetchval(sql)
            self._must(not count, f"{count} {what}")
        for verdict, count in await database.fetch(
            "select coalesce(verdict, state), count(*) from keepa_gateway.attempts group by 1"
        ):
            self.facts[f"calls {verdict}"] = count
        for state, count in await database.fetch(
            "select state, count(*) from autosourcing.jobs group by 1"
        ):
            self.facts[f"jobs {state}"] = count
        for kind, count in await database.fetch(
            "select kind, count(*) from budget.ledger group by 1"
        ):
            self.facts[f"ledger {kind}"] = count

    async def _truth(self, database: Any) -> None:
        async with http_client(self.stack.sandbox_url) as client:
            text = (await client.get("/_sandbox/truth")).raise_for_status().text
            balance = (await client.get("/_sandbox/balance")).raise_for_status().json()
        (self.stack.data / "truth.jsonl").write_text(text)
        lines = [json.loads(line) for line in text.splitlines() if line]
        priced = [x for x in lines if x["kind"] == "request" and x["tokensConsumed"] > 0]
        attempts = await database.fetch(
            """select a.*, h.at as held_at from keepa_gateway.attempts a join budget.ledger h
               on h.reservation = substr(a.reservation, 14)::uuid and h.kind = 'HELD'
               where a.state <> 'fenced'"""
        )
        self.violations += unexplained(priced, [dict(row) for row in attempts])
        charged = sum(x["tokensConsumed"] for x in priced)
        others = sum(x["tokensConsumed"] for x in lines if x["kind"] == "foreign")
        sums = dict(
            await database.fetch("select kind, sum(tokens)::bigint from budget.ledger group by 1")
        )
        spent = (await self._account()).spent_token_count
        self.facts |= {"requests": len(lines), "charged": charged, "spent": spent}
        foreign, credit = sums.get("FOREIGN", 0), sums.get("CREDIT", 0)
        # At a full bucket a charge and a lost refill look alike: an unknown call is then booked
        # at its bound, never below what it cost.
        spare = balance["tokensOverflowed"]
        excess = spent + foreign - credit - charged - others
        sums_up = f"spent {spent}, foreign {foreign}, credit {credit}"
        truly = f"charged {charged}, foreign {others}, overflowed {spare}"
        hidden = min(others, spare)  # What a stranger takes from a full bucket, refills hide.
        self._must(-hidden <= excess <= spare, f"S4: booked {sums_up}; truly {truly}")
        self._must(spent >= charged, f"S4: booked {spent} of {charged}")
        if not self.foreign:
            self._must(not foreign, f"INV-8: {foreign} tokens of nobody booked as foreign")
            self._must(not credit, f"INV-8: {credit} tokens booked as credit")
        self.facts["overflowed"] = spare
        low = balance["minimumByRequests"]
        self._must(low >= 0, f"INV-1: a request of ours left {low} tokens")
        self.facts["lowest"] = low

    async def _events(self, database: Any) -> None:
        """S7, read in the order in which things happen: a job may still learn what it cost."""
        client = await nats.connect(self.stack.nats_url)
        try:
            for name in (*PUBLISHERS, "budget"):
                await self._consumers(client, name)
            before = {name: await self._put(database, name) for name in PUBLISHERS}
            endings = [row[0] for row in await database.fetch(ENDINGS)]
            stored = {name: await self._stream(client, name) for name in PUBLISHERS}
            told = await self._stream(client, "budget")
        finally:
            await client.close()
        self._ledger_told(endings, told)
        for name in PUBLISHERS:
            sent = {event_id for event_id, _, _ in stored[name]}
            lost, strange = before[name] - sent, sent - await self._put(database, name)
            self._must(not lost, f"S7: {len(lost)} events of {name} not in the stream")
            self._must(not strange, f"S7: {len(strange)} events of {name} from nowhere")
        await self._jobs(database, stored["autosourcing"])

    async def _put(self, database: Any, service: str) -> set[str]:
        """Read which events a service has put into its outbox so far."""
        rows = await database.fetch(f"select event_id::text from {service}.outbox")
        return {row[0] for row in rows}

    def _ledger_told(self, ended: list[int], stored: list[tuple[str, str, bytes]]) -> None:
        """INV-9: each entry that is an event is published at least once, in order."""
        told = [
            budget_events.ReservationEnded.FromString(payload).reservation.sequence
            for _, subject, payload in stored
            if subject.endswith(".ReservationEnded")
        ]
        known = set(ended)
        untold = known - set(told)
        self._must(not untold, f"INV-9: {len(untold)} endings of reservations were not told")
        order = [sequence for sequence in told if sequence in known]
        self._must(untold or order == ended, "INV-9: endings were told out of order, or twice")

    async def _stream(self, client: Any, service: str) -> list[tuple[str, str, bytes]]:
        """Read a whole stream in its order; the same event twice is one event."""
        js = client.jetstream()
        stream = f"ARBITRAGEVAULT_{service.upper()}"
        state = (await js.stream_info(stream)).state
        found: dict[tuple[str, str, bytes], None] = {}
        for sequence in range(state.first_seq, state.last_seq + 1):
            message = await js.get_msg(stream, sequence, direct=False)
            event_id = (message.headers or {}).get("Nats-Msg-Id", "")
            found[event_id, message.subject, bytes(message.data)] = None
        self.facts[f"events {service}"] = len(found)
        return list(found)

    async def _consumers(self, client: Any, service: str) -> None:
        """L3; what a reader that was killed had fetched comes again only when its time is up."""
        stream = f"ARBITRAGEVAULT_{service.upper()}"
        until = asyncio.get_running_loop().time() + REST_SECONDS
        while True:
            infos = await client.jetstream().consumers_info(stream)
            waiting = {info.name: info.num_pending + info.num_ack_pending for info in infos}
            if not any(waiting.values()) or asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(POLL_SECONDS)
        for name, count in waiting.items():
            self._must(not count, f"L3: {count} events wait for {name}")

    async def _jobs(self, database: Any, stored: list[tuple[str, str, bytes]]) -> None:
        finished: Counter[str] = Counter()
        told: defaultdict[str, set[str]] = defaultdict(set)
        for _, subject, payload in stored:
            if subject.endswith(".JobFinished"):
                finished[events_pb2.JobFinished.FromString(payload).job] += 1
            if subject.endswith(".PickFound"):
                pick = events_pb2.PickFound.FromString(payload).pick
                told[pick.job].add(pick.name)
        kept: defaultdict[str, set[str]] = defaultdict(set)
        for job, pick in await database.fetch(
            "select job_id::text, id::text from autosourcing.picks"
        ):
            kept[f"jobs/{job}"].add(f"picks/{pick}")
        names = [
            f"jobs/{row[0]}" for row in await database.fetch("select id from autosourcing.jobs")
        ]
        for job in names:
            self._must(finished[job] == 1, f"{job} was told to be finished {finished[job]} times")
            self._must(
                told[job] == kept[job], f"{job}: picks told {len(told[job])}, kept {len(kept[job])}"
            )
            seen = self.load.watched.get(job)
            if seen is not None and seen.finished:
                self._must(
                    seen.picks == kept[job],
                    f"{job}: picks watched {len(seen.picks)}, kept {len(kept[job])}",
                )
        self.facts["picks"] = sum(map(len, kept.values()))
        lost = set(self.load.acknowledged.values()) - set(names)
        self._must(not lost, f"S16: acknowledged and lost: {sorted(lost)}")

    async def _ledger(self) -> None:
        request = budget.VerifyLedgerRequest(full=True)
        while True:
            verdict = await self._ask("budget", lambda stub: stub.VerifyLedger(request))
            if not verdict.next_page_token:
                break
            request.page_token = verdict.next_page_token
        for found in verdict.violations:
            self.violations.append(f"{found.invariant} at {found.sequence}: {found.description}")
        self._must(verdict.consistent, "VerifyLedger finds the ledger inconsistent")
        self.facts["entries"] = verdict.verified_sequence
        await self._balance()

    async def _balance(self) -> None:
        """INV-8: after an observation with no call in flight both balances are one."""
        for _ in range(10):
            await self._ask(
                "keepa_gateway", lambda stub: stub.CheckConnection(gateway.CheckConnectionRequest())
            )
            account = await self._account()
            url = f"{self.stack.sandbox_url}/_sandbox/balance"
            async with http_client() as client:
                true = (await client.get(url)).json()["tokensLeft"]
            if account.balance_token_count == true:
                return
            await asyncio.sleep(0.37)
        self._must(False, f"INV-8: balance {account.balance_token_count}, true {true}")

    def _client_side(self) -> None:
        self.violations += [f"told: {what}" for what in sorted(set(self.load.strange))]
        for job, seen in self.load.watched.items():
            self._must(seen.finished, f"{job} was never seen to end")
            gaps = [
                (a, b)
                for a, b in zip(seen.sequences, seen.sequences[1:], strict=False)
                if b != a + 1
            ]
            self._must(not gaps, f"{job}: gaps in what was watched: {gaps}")
