"""Reads one kind of event: inbox row and effect in one transaction, then the acknowledgement."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import sql, telemetry
from services.chassis.cancelling import heed_cancellation
from services.chassis.events import delivery as deliveries
from services.chassis.events import inbox as inboxes
from services.chassis.events import nats
from services.chassis.events.delivery import Delivery, Poison
from services.chassis.events.names import durable_name, publisher_of, subject
from services.chassis.loops import Loop
from services.chassis.purging import SMALL_CHUNK, Rounds
from services.chassis.rpc.call import working_for

__all__ = ["Consumer", "Delivery", "Poison", "Subscriber"]

MOST_DELIVERIES = 10
# What a reader that was killed had fetched is delivered to the others after this long. A
# handler is one short transaction; one that is slower all the same finds its inbox row.
ACK_WAIT_SECONDS = 10.0
DATABASE_PAUSE_SECONDS = 1.0
BACKOFF_SECONDS = (0.2, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0)

_BATCH = 16
_FETCH_SECONDS = 2.0
_log = telemetry.get_logger(__name__)

E = TypeVar("E", bound=Message)
Handler = Callable[[E, Delivery, AsyncConnection], Awaitable[None]]


@dataclass(frozen=True)
class Subscriber:
    """A service as a reader of events: where they come from, and the tables that remember them."""

    js: JetStreamContext
    engine: AsyncEngine
    name: str
    inbox: Table
    dead_letters: Table

    def loop(self, event_type: type[E], handler: Handler[E]) -> Loop:
        """Read one kind of event for as long as the service runs."""
        consumer = Consumer(
            self.js, self.engine, self.inbox, self.name, event_type, handler, self.dead_letters
        )
        return Loop(event_type.DESCRIPTOR.name, consumer.run)


class Consumer(Generic[E]):
    """Hands each event to its handler until the effect is stored, once.

    Any number of replicas share the durable name, and so the work. What the handler does decides:
    it returns: commit, then acknowledge; it raises `Poison`: a dead letter, and no more
    deliveries; anything else: roll back and deliver again, later and later, ten times in all.

    The limit is ours and not the broker's: the broker would drop the event silently, and it
    would count the deliveries of a night without a database.
    """

    def __init__(  # noqa: PLR0917 - one line of wiring per event, in the order of the words
        self,
        js: JetStreamContext,
        engine: AsyncEngine,
        inbox: Table,
        reader: str,
        event_type: type[E],
        handler: Handler[E],
        dead_letters: Table,
    ) -> None:
        self._js = js
        self._engine = engine
        self._inbox = inbox
        self._reader = reader
        self._event_type = event_type
        self._handler = handler
        self._dead_letters = dead_letters
        self._publisher = publisher_of(subject(event_type))
        self._durable = durable_name(reader, event_type)
        self._rounds = Rounds()
        self._letter_rounds = Rounds(SMALL_CHUNK)
        self._buried = 0

    async def run(self) -> None:
        """Read for ever, waiting first for a stream that does not exist yet."""
        await nats.await_stream(self._js, self._publisher)
        source = await nats.bind(
            self._js, self._reader, self._event_type, ack_wait_seconds=ACK_WAIT_SECONDS
        )
        try:
            while True:
                await self._purge_sometimes()
                await self._take_all(await _fetch(source))
        finally:
            # A drain after an empty fetch would block for its whole timeout.
            with suppress(NatsError):
                await source.unsubscribe()

    async def _take_all(self, messages: list[Msg]) -> None:
        """Take messages one by one; those left at a stop go back to the other replicas at once."""
        left = list(messages)
        try:
            heed_cancellation()
            while left:
                await self._take(left[0])
                left.pop(0)
        finally:
            for message in left:
                await _settle(message.nak())

    async def _take(self, message: Msg) -> None:
        with working_for(deliveries.call_of(message, self._reader)):
            try:
                await self._apply(message)
            except Poison as error:
                await self._bury(message, error)
            except Exception as error:  # noqa: BLE001 - the border of an event
                await self._again_or_bury(message, error)
            else:
                await _settle(message.ack())

    async def _apply(self, message: Msg) -> None:
        """Store inbox row and effect together; a copy finds its row and has no effect."""
        delivery = deliveries.read(message)
        try:
            event = self._event_type.FromString(message.data)
        except DecodeError as error:
            raise Poison("the payload is not a message of the subject's type") from error
        async with sql.transaction(self._engine) as connection:
            row = {"reader": self._durable, "event_id": delivery.event_id}
            taken = insert(self._inbox).values(row).on_conflict_do_nothing()
            if await connection.scalar(taken.returning(self._inbox.c.event_id)) is None:
                _log.debug(
                    "duplicate dropped", reader=self._durable, event_id=str(delivery.event_id)
                )
                return
            await self._handler(event, delivery, connection)

    async def _again_or_bury(self, message: Msg, error: Exception) -> None:
        attempt, passing = message.metadata.num_delivered, sql.unavailable(error)
        pause = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS)) - 1]
        _log.warning(
            "event failed",
            reader=self._durable,
            attempt=attempt,
            again_seconds=pause,
            error=str(error) or type(error).__name__,
            exc_info=None if passing else error,
        )
        if attempt >= MOST_DELIVERIES and not passing:
            await self._bury(message, error)
            return
        await _settle(message.nak(delay=pause))
        if passing:
            # No other event would fare better until the database is back.
            await asyncio.sleep(DATABASE_PAUSE_SECONDS)

    async def _bury(self, message: Msg, error: Exception) -> None:
        """Keep a dead letter, then end its deliveries; without the letter it is delivered again."""
        metadata = message.metadata
        row = {
            "reader": self._durable,
            "stream": metadata.stream,
            "stream_sequence": metadata.sequence.stream,
            "subject": message.subject,
            "headers": dict(message.headers or {}),
            "payload": message.data,
            "attempts": metadata.num_delivered,
            "error": telemetry.scrub(f"{type(error).__name__}: {error}")[:2000],
        }
        try:
            async with sql.transaction(self._engine) as connection:
                await connection.execute(
                    insert(self._dead_letters).values(row).on_conflict_do_nothing()
                )
        except Exception as failure:  # noqa: BLE001 - the border of an event
            _log.warning("dead letter not stored", reader=self._durable, error=str(failure))
            await _settle(message.nak(delay=BACKOFF_SECONDS[3]))
            return
        _log.error("event buried", reader=self._durable, subject=message.subject, error=str(error))
        await _settle(message.term())
        self._buried += 1
        if self._buried % SMALL_CHUNK == 0:
            self._letter_rounds.soon()

    async def _purge_sometimes(self) -> None:
        if self._rounds.due():
            async with sql.transaction(self._engine) as connection:
                self._rounds.went(await inboxes.purge(connection, self._inbox))
        if self._letter_rounds.due():
            async with sql.transaction(self._engine) as connection:
                gone = await inboxes.purge_letters(connection, self._dead_letters)
            if gone:
                _log.warning("dead letters forgotten", table=str(self._dead_letters), count=gone)
            self._letter_rounds.went(gone)


async def _fetch(source: JetStreamContext.PullSubscription) -> list[Msg]:
    """Wait for messages; both kinds of timeout, and a broker that is away, mean none."""
    try:
        return await source.fetch(_BATCH, timeout=_FETCH_SECONDS)
    except TimeoutError:
        return []


async def _settle(answer: Awaitable[None]) -> None:
    """Tell the broker; when that fails it delivers again, and the inbox knows the event."""
    try:
        await answer
    except (NatsError, OSError) as error:
        _log.debug("acknowledgement lost", error=str(error))
