"""The moments of reliability.md section 4 at which a process dies, each one met exactly.

No service knows of them: a process is held where it is by the database, by the stand-in or by a
frozen peer, found by what it waits for, and killed there.
"""

# ruff: noqa: ASYNC110 - that a process has come somewhere is seen by looking only

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg
import psutil

from tests.chaos.stack import Stack
from tests.support import http_client

REACH_SECONDS = 40.0
POLL_SECONDS = 0.02
_LOCK = 20_260
_PAUSE = f"""create or replace function public.kill_point() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock({_LOCK}); return new; end $$"""
_WAITING = f"""select a.client_port from pg_locks l join pg_stat_activity a using (pid)
    where l.locktype = 'advisory' and l.objid = {_LOCK} and not l.granted"""


@dataclass(frozen=True)
class Statement:
    """Inside a transaction, before a row is written.

    Attributes:
        when: SQL over ``old`` and ``new``; empty for every row.
    """

    table: str
    verb: str
    when: str = ""


@dataclass(frozen=True)
class Call:
    """While Keepa works on a paid request to this path."""

    path: str


@dataclass(frozen=True)
class Frozen:
    """While a peer does not answer: ``reached`` is SQL whose count grows there.

    Attributes:
        during: The path of the paid call in which the peer freezes; empty: before all.
    """

    part: str
    reached: str
    during: str = ""


@dataclass(frozen=True)
class Point:
    """One moment of one service.

    Attributes:
        commits: The table whose row is stored before the process dies; the broker, which has
            not read the acknowledgement, dies with it. Empty: nothing is stored.
    """

    name: str
    service: str
    moment: Statement | Call | Frozen
    commits: str = ""


_ENDED = "new.state not in ('PENDING', 'RUNNING') and old.state = 'RUNNING'"
_STARTED = "new.state = 'RUNNING' and old.state = 'PENDING'"
_CLOSED = "(new.document->'envelope'->>'closed')::bool and not new.document = old.document"
_SENT = "new.sent_at is not null and old.sent_at is null"
_ANSWERED = "new.answered_at is not null and old.answered_at is null"

CALLS = (
    Point("K6 budget, while its gateway's call is out", "budget", Call("/query")),
    Point("K6 gateway, a search sent and not answered", "keepa_gateway", Call("/query")),
    Point("K6 gateway, products sent and not answered", "keepa_gateway", Call("/product")),
    Point("K6 discovery, waiting for a search", "discovery", Call("/query")),
    Point("K6 discovery, waiting for products", "discovery", Call("/product")),
    Point("K6 autosourcing, waiting for a search", "autosourcing", Call("/query")),
    Point("K6 autosourcing, waiting for products", "autosourcing", Call("/product")),
)
AUTOSOURCING = (
    Point(
        "K2 the job not stored yet",
        "autosourcing",
        Statement("autosourcing.jobs", "insert"),
    ),
    Point(
        "K3 the job stored, its envelope not granted",
        "autosourcing",
        Frozen("budget", "select count(*) from autosourcing.jobs where state = 'PENDING'"),
    ),
    Point(
        "K4 the envelope held, the start not stored",
        "autosourcing",
        Statement("autosourcing.jobs", "update", _STARTED),
    ),
    Point(
        "K12 the question not published",
        "autosourcing",
        Frozen("NATS", "select count(*) from autosourcing.outbox where sent_at is null"),
    ),
    Point(
        "K14 the question published, not marked",
        "autosourcing",
        Statement("autosourcing.outbox", "update", _SENT),
    ),
    Point(
        "K16 inside an answer's transaction",
        "autosourcing",
        Statement("autosourcing.inbox", "insert"),
    ),
    Point(
        "K16 its picks being stored",
        "autosourcing",
        Statement("autosourcing.picks", "insert"),
    ),
    Point(
        "K17 the answer stored, not acknowledged",
        "autosourcing",
        Statement("autosourcing.inbox", "insert"),
        commits="autosourcing.inbox",
    ),
    Point(
        "K18 the end being stored",
        "autosourcing",
        Statement("autosourcing.jobs", "update", _ENDED),
    ),
    Point(
        "K11 the envelope released, the end not told",
        "autosourcing",
        Statement("autosourcing.jobs", "update", _CLOSED),
    ),
)
DISCOVERY = (
    Point(
        "K16 inside the transaction of a question",
        "discovery",
        Statement("discovery.steps", "insert"),
    ),
    Point(
        "K17 the question stored, not acknowledged",
        "discovery",
        Statement("discovery.inbox", "insert"),
        commits="discovery.inbox",
    ),
    Point(
        "K9 the answer paid and not stored",
        "discovery",
        Statement("discovery.steps", "update", _ANSWERED),
    ),
    Point(
        "K12 the answer not published",
        "discovery",
        Frozen(
            "NATS",
            "select count(*) from discovery.outbox where sent_at is null",
            during="/query",
        ),
    ),
    Point(
        "K14 the answer published, not marked",
        "discovery",
        Statement("discovery.outbox", "update", _SENT),
    ),
)
ALL = {point.name: point for point in (*CALLS, *AUTOSOURCING, *DISCOVERY)}


class Killer:
    """Waits for a moment and kills the process that is in it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    async def strike(self, point: Point, armed: asyncio.Event) -> int:
        """Lie in wait, set ``armed``, kill, and let everything go; returns how many died.

        Raises:
            TimeoutError: Nobody came to that moment.
        """
        async with asyncio.timeout(REACH_SECONDS):
            while not self._stack.pids(point.service):
                await asyncio.sleep(POLL_SECONDS)
            match point.moment:
                case Call(path):
                    return await self._in_call(point, path, armed)
                case Frozen():
                    return await self._at_frozen(point, point.moment, armed)
                case Statement():
                    return await self._in_statement(point, point.moment, armed)

    async def _in_call(self, point: Point, path: str, armed: asyncio.Event) -> int:
        """Whoever waits for the paid call dies in every replica."""
        await self._call_under_way(path, armed)
        return _signal(self._stack.pids(point.service))

    async def _call_under_way(self, path: str, armed: asyncio.Event) -> None:
        """Have the stand-in keep one paid call waiting, and return when it does."""
        url = f"{self._stack.sandbox_url}/_sandbox/faults"
        slow = {"fault": "delay", "milliseconds": 1_000, "path": path, "requests": 1}
        async with http_client() as client:
            (await client.post(url, json=slow)).raise_for_status()
            armed.set()
            while (await client.get(url)).json():
                await asyncio.sleep(POLL_SECONDS)

    async def _at_frozen(self, point: Point, moment: Frozen, armed: asyncio.Event) -> int:
        if moment.during:
            await self._call_under_way(moment.during, armed)
        frozen = self._stack.pids(moment.part)
        async with self._connected() as database:
            before = await database.fetchval(moment.reached)
            _signal(frozen, signal.SIGSTOP)
            try:
                armed.set()
                while await database.fetchval(moment.reached) <= before:
                    await asyncio.sleep(POLL_SECONDS)
                return _signal(self._stack.pids(point.service))
            finally:
                _signal(frozen, signal.SIGCONT)

    async def _in_statement(self, point: Point, moment: Statement, armed: asyncio.Event) -> int:
        """A trigger waits for a lock that is held here; a dead client's statement ends after it."""
        condition = f"when ({moment.when})" if moment.when else ""
        async with self._connected() as holder, self._connected() as database:
            await database.execute(_PAUSE)
            await holder.execute(f"select pg_advisory_lock({_LOCK})")
            await database.execute(
                f"""create trigger kill_point before {moment.verb} on {moment.table}
                    for each row {condition} execute function public.kill_point()"""
            )
            try:
                armed.set()
                while not (pids := await self._waiting(point.service, database)):
                    await asyncio.sleep(POLL_SECONDS)
                if point.commits:
                    return await self._after_commit(point, holder, database, pids)
                return _signal(pids)
            finally:
                await holder.execute("select pg_advisory_unlock_all()")
                await database.execute(f"drop trigger kill_point on {moment.table}")

    async def _after_commit(self, point: Point, holder: Any, database: Any, pids: list[int]) -> int:
        """Let the transaction through while the broker cannot read the acknowledgement."""
        count = f"select count(*) from {point.commits}"
        broker = self._stack.pids("NATS")
        before = await database.fetchval(count)
        _signal(broker, signal.SIGSTOP)
        await holder.execute("select pg_advisory_unlock_all()")
        while await database.fetchval(count) <= before:
            await asyncio.sleep(POLL_SECONDS)
        return _signal(pids) + _signal(broker)

    async def _waiting(self, service: str, database: Any) -> list[int]:
        """Find the replicas whose statement waits at the trigger."""
        ports = {row[0] for row in await database.fetch(_WAITING)}
        return [pid for pid in self._stack.pids(service) if ports & _local_ports(pid)]

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(self._stack.database_url)
        try:
            yield connection
        finally:
            await connection.close()


def _local_ports(pid: int) -> set[int]:
    return {each.laddr.port for each in psutil.Process(pid).net_connections("tcp") if each.laddr}


def _signal(pids: list[int], how: signal.Signals = signal.SIGKILL) -> int:
    count = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, how)
            count += 1
    return count
