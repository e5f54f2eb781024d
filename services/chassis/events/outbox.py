"""The outbox: an event is stored in the transaction that makes it true, and published later."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis import purging
from services.chassis.events.names import subject
from services.chassis.events.publisher import Outgoing
from services.chassis.rpc.call import current_call

MOST_BYTES = 1_000_000
"""Of an event: the broker takes 1 MiB with its headers. One that it refuses would be tried for ever,
and every later event of the service would wait behind it."""

KEPT_FOR = timedelta(days=30)
"""How long a sent event stays: from them a stream that was lost can be filled again."""


def outbox_table(metadata: MetaData) -> Table:
    """Describe the outbox of the service whose schema ``metadata`` names."""
    return Table(
        "outbox",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("event_id", Uuid, nullable=False, unique=True),
        Column("message_name", Text, nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("traceparent", Text, nullable=False, server_default=""),
        Column(
            "occurred_at",
            DateTime(timezone=True),
            nullable=False,
            server_default=func.clock_timestamp(),
        ),
        Column("sent_at", DateTime(timezone=True)),
        Index("outbox_unsent", "id", postgresql_where=text("sent_at is null")),
        Index("outbox_sent", "sent_at", postgresql_where=text("sent_at is not null")),
    )


def channel(table: Table) -> str:
    """Name the channel on which new rows of an outbox are announced."""
    return f"{table.schema}_{table.name}"


def row(event: Message, *, event_id: UUID | None = None) -> dict[str, Any]:
    """Make the row of an event, for who stores it by a statement of its own.

    That statement rings `channel` as well; otherwise the relay finds the row at its next poll.

    Raises:
        ValueError: It could never be published, so it must not become true either.
    """
    payload = event.SerializeToString(deterministic=True)
    if len(payload) > MOST_BYTES:
        raise ValueError(f"{subject(event)} has {len(payload)} bytes; {MOST_BYTES} are allowed")
    return {
        "event_id": event_id or uuid.uuid4(),
        "message_name": subject(event),
        "payload": payload,
        "traceparent": current_call().traceparent,
    }


async def put(
    connection: AsyncConnection, table: Table, event: Message, *, event_id: UUID | None = None
) -> None:
    """Store an event in the running transaction, and wake the relay when it commits.

    Args:
        connection: Inside the transaction that makes the event true.
        table: The service's own outbox.
        event: What became true.
        event_id: The event's id when it follows from something else, as uuid5: an id that was
            put before is not put again. A new one when ``None``.

    Raises:
        ValueError: It could never be published, so it must not become true either.
    """
    await put_row(connection, table, row(event, event_id=event_id))


async def put_row(connection: AsyncConnection, table: Table, made: dict[str, Any]) -> None:
    """Store what `row` made in the running transaction, and wake the relay when it commits."""
    await connection.execute(
        postgresql.insert(table)
        .values(made)
        .on_conflict_do_nothing(index_elements=[table.c.event_id])
        .returning(func.pg_notify(channel(table), ""))
    )


class OutboxSource:
    """The outbox as a relay reads it."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.channel = channel(table)
        # Built once: to build them took longer than to run them.
        columns = table.c
        self._pending = (
            select(
                columns.event_id,
                columns.message_name,
                columns.payload,
                columns.occurred_at,
                columns.traceparent,
            )
            .where(columns.sent_at.is_(None))
            .order_by(columns.id)
            .limit(bindparam("most", type_=Integer))
        )
        ids = bindparam("ids", type_=ARRAY(Uuid))
        self._mark = (
            update(table)
            .where(columns.event_id == func.any(ids))
            .values(sent_at=func.clock_timestamp())
        )

    async def pending(self, connection: AsyncConnection, limit: int) -> Sequence[Outgoing]:
        """Read the oldest unsent rows; never by "id > last", which loses rows that commit late."""
        return [Outgoing(*row) for row in await connection.execute(self._pending, {"most": limit})]

    async def mark_sent(self, connection: AsyncConnection, batch: Sequence[Outgoing]) -> None:
        """Remember that the broker has a batch."""
        await connection.execute(self._mark, {"ids": [event.event_id for event in batch]})

    async def purge(self, connection: AsyncConnection) -> int:
        """Forget a chunk of the rows that were sent long ago; tell how many."""
        old = purging.older(self._table, self._table.c.sent_at, KEPT_FOR)
        return await purging.forget_chunk(connection, self._table, old)
