"""Carries events from a service's database to the broker: one relay at work per service."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import sql, telemetry
from services.chassis.events.outbox import OutboxSource
from services.chassis.events.publisher import Outgoing, Publisher, PublishError
from services.chassis.purging import Rounds

BATCH = 500
POLL_SECONDS = 1.0
_log = telemetry.get_logger(__name__)


class Source(Protocol):
    """Where a relay finds what was not published yet."""

    channel: str
    """The NOTIFY channel that announces more; a hint only."""

    async def pending(self, connection: AsyncConnection, limit: int) -> Sequence[Outgoing]:
        """Read up to ``limit`` unpublished events, in the order in which they must leave.

        Called inside the transaction in which `mark_sent` follows. A source with rows that are
        no events skips them here and remembers so in that same transaction.
        """
        ...

    async def mark_sent(self, connection: AsyncConnection, batch: Sequence[Outgoing]) -> None:
        """Remember that the broker has all of ``batch``, which `pending` just gave."""
        ...

    async def purge(self, connection: AsyncConnection) -> int:
        """Forget a chunk of what is long since sent, and tell how many rows; 0 when none is.

        Called about once an hour, and again after the next batch while chunks are full.
        """
        ...


class Relay:
    """Publishes a source in order, at least once.

    Any number of replicas run one. The session lock lets one of them work; it lives and dies
    with the very connection that reads and marks, so a relay that lost the lock cannot mark.
    A relay that froze loses its connection after 10 s, and the next one takes over.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        source: Source | Table,
        publisher: Publisher,
        lock_key: str | int,
        *,
        linger_seconds: float = 0.0,
    ) -> None:
        self._engine = engine
        self._source = OutboxSource(source) if isinstance(source, Table) else source
        self._publisher = publisher
        self._lock = lock_key if isinstance(lock_key, int) else sql.lock_number(lock_key)
        self._bell = sql.Bell(sql.engine_url(engine), self._source.channel)
        self._rounds = Rounds()
        self._delayed = False
        self._linger_seconds = linger_seconds  # After a small batch, so that the next is larger.

    async def run(self) -> None:
        """Relay for ever; raises when the database is lost, and is then started again."""
        async with self._bell, self._engine.connect() as connection:
            try:
                await self._take_lock(connection)
                while True:
                    published = await self._relay_batch(connection)
                    await self._purge_sometimes(connection)
                    if not published:
                        await self._bell.wait(POLL_SECONDS)
                    elif published < BATCH:
                        await asyncio.sleep(self._linger_seconds)
            finally:
                # The lock and the settings belong to the session: it must not return to the pool.
                await connection.invalidate()

    async def _take_lock(self, connection: AsyncConnection) -> None:
        limit = text("set idle_session_timeout = '10s'")
        await connection.execute(limit)
        await connection.execute(text("set idle_in_transaction_session_timeout = '10s'"))
        await connection.commit()
        query = text("select pg_try_advisory_lock(:lock)")
        while not await connection.scalar(query, {"lock": self._lock}):
            await connection.commit()
            await asyncio.sleep(POLL_SECONDS)
        await connection.commit()
        _log.debug("relay began", channel=self._source.channel)

    async def _relay_batch(self, connection: AsyncConnection) -> int:
        """Publish one batch and mark it sent in one transaction; tell how many events it had."""
        async with connection.begin():
            batch = await self._source.pending(connection, BATCH)
            if not batch:
                return 0
            try:
                await self._publisher.publish(batch)
            except PublishError as error:
                self._report_delay(str(error))
                return 0
            await self._source.mark_sent(connection, batch)
        self._report_delay("")
        return len(batch)

    def _report_delay(self, error: str) -> None:
        """Log the beginning and the end of a delay, not each of its seconds."""
        if bool(error) != self._delayed:
            event = "relay delayed" if error else "relay resumed"
            _log.warning(event, channel=self._source.channel, error=error)
        self._delayed = bool(error)

    async def _purge_sometimes(self, connection: AsyncConnection) -> None:
        if self._rounds.due():
            async with connection.begin():
                self._rounds.went(await self._source.purge(connection))
