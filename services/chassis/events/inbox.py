"""The inbox: which events a reader has taken in, and the dead letters it could not."""

from datetime import timedelta

from sqlalchemy import (
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
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis import purging

KEPT_FOR = timedelta(days=35)
"""The broker itself keeps events for 30 days, so nothing older can come again."""


def inbox_table(metadata: MetaData) -> Table:
    """Describe the inbox of the service whose schema ``metadata`` names."""
    return Table(
        "inbox",
        metadata,
        Column("reader", Text, primary_key=True),
        Column("event_id", Uuid, primary_key=True),
        Column(
            "received_at",
            DateTime(timezone=True),
            nullable=False,
            server_default=func.clock_timestamp(),
        ),
        Index("inbox_received", "received_at"),
    )


def dead_letters_table(metadata: MetaData) -> Table:
    """Describe the events that no redelivery can cure, kept until an operator decides."""
    return Table(
        "dead_letters",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("reader", Text, nullable=False),
        Column("stream", Text, nullable=False),
        Column("stream_sequence", BigInteger, nullable=False),
        Column("subject", Text, nullable=False),
        Column("headers", postgresql.JSONB, nullable=False),
        Column("payload", LargeBinary, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("error", Text, nullable=False),
        Column(
            "died_at",
            DateTime(timezone=True),
            nullable=False,
            server_default=func.clock_timestamp(),
        ),
        UniqueConstraint("reader", "stream", "stream_sequence"),
    )


async def purge(connection: AsyncConnection, table: Table) -> int:
    """Forget a chunk of the events that the broker has long forgotten; tell how many."""
    old = purging.older(table, table.c.received_at, KEPT_FOR)
    return await purging.forget_chunk(connection, table, old)
