"""A publisher and a reader with real tables and a broker of their own."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from arbitragevault.budget.v1 import events_pb2 as events
from nats.aio.client import Client
from nats.js import JetStreamContext
from sqlalchemy import BigInteger, Column, Identity, MetaData, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import sql
from services.chassis.cancelling import end
from services.chassis.events import inbox, nats, outbox
from services.chassis.events.consumer import Consumer, Delivery
from services.chassis.events.publisher import Publisher
from services.chassis.events.relay import Relay
from services.chassis.loops import Loop, supervise

_schemas = (f"events_{number}" for number in itertools.count(1))
Handler = Callable[[events.BalanceLow, Delivery, AsyncConnection], Awaitable[None]]


@dataclass
class Exchange:
    """Everything between a fact in one database and its effect in another.

    The effect is a row in ``effect``; a handler may be put in front of it.
    """

    engine: AsyncEngine
    client: Client
    js: JetStreamContext
    metadata: MetaData
    stack: AsyncExitStack
    tables: dict[str, Table] = field(default_factory=dict)

    async def describe(self, *, create: bool) -> None:
        """Describe the tables, and make them."""
        self.tables = {
            "outbox": outbox.outbox_table(self.metadata),
            "inbox": inbox.inbox_table(self.metadata),
            "dead": inbox.dead_letters_table(self.metadata),
            "effect": Table(
                "effect",
                self.metadata,
                Column("id", BigInteger, Identity(always=True)),
                Column("sequence", BigInteger),
            ),
        }
        if not create:
            return
        async with self.engine.begin() as connection:
            await connection.execute(text(f"create schema {self.metadata.schema}"))
            await connection.run_sync(self.metadata.create_all)

    async def put(self, *sequences: int, **rest: Any) -> None:
        """Make facts true in one transaction."""
        async with sql.transaction(self.engine) as connection:
            for sequence in sequences:
                event = events.BalanceLow(sequence=sequence)
                await outbox.put(connection, self.tables["outbox"], event, **rest)

    async def publish_to(self, service: str = "budget") -> None:
        """Make the stream."""
        await nats.ensure_stream(self.js, service)

    def relay(self) -> Relay:
        """Build a relay of the outbox."""
        return Relay(
            self.engine, self.tables["outbox"], Publisher(self.js), f"{self.metadata.schema} relay"
        )

    def consumer(self, after: Handler | None = None) -> Consumer[events.BalanceLow]:
        """Build a reader; ``after`` runs after its effect and before the commit."""

        async def handle(
            event: events.BalanceLow, delivery: Delivery, connection: AsyncConnection
        ) -> None:
            await connection.execute(self.tables["effect"].insert().values(sequence=event.sequence))
            if after is not None:
                await after(event, delivery, connection)

        tables = self.tables
        return Consumer(
            self.js,
            self.engine,
            tables["inbox"],
            "discovery",
            events.BalanceLow,
            handle,
            tables["dead"],
        )

    def start(self, run: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
        """Supervise a loop until the end of the test."""
        task = asyncio.create_task(supervise(Loop("test", run)))

        self.stack.push_async_callback(end, task)
        return task

    async def count(self, table: str) -> int:
        """Count the rows of a table."""
        async with self.engine.connect() as connection:
            query = select(func.count()).select_from(self.tables[table])
            return int(await connection.scalar(query) or 0)

    async def effects(self) -> list[int]:
        """List the effects in their order."""
        async with self.engine.connect() as connection:
            columns = self.tables["effect"].c
            return list(await connection.scalars(select(columns.sequence).order_by(columns.id)))

    async def stored(self) -> int:
        """How many copies the broker holds."""
        return int((await self.js.stream_info("ARBITRAGEVAULT_BUDGET")).state.messages)


@asynccontextmanager
async def exchanging(database_url: str, nats_url: str, schema: str = "") -> AsyncIterator[Exchange]:
    """Connect both engines; tables are made unless they are there, in ``schema``."""
    engine = sql.create_engine(database_url, application="test")
    async with (
        nats.connection(nats_url, "test", patience_seconds=30) as client,
        AsyncExitStack() as stack,
    ):
        metadata = MetaData(schema=schema or next(_schemas))
        exchange = Exchange(engine, client, client.jetstream(), metadata, stack)
        await exchange.describe(create=not schema)
        yield exchange
    await engine.dispose()


@pytest.fixture
async def exchange(postgres: str, fresh_nats_server: str) -> AsyncIterator[Exchange]:
    async with exchanging(postgres, fresh_nats_server) as made:
        yield made
