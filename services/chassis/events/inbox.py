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
    or_,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis import purging

KEPT_FOR = timedelta(days=35)
"""The broker itself keeps events for 30 days, so nothing older can come again."""

LETTERS_KEPT_FOR = timedelta(days=90)
"""How long a dead letter waits for an operator."""

MOST_LETTERS = 10_000
"""Dead letters of a service; the oldest go first. A publisher gone wrong must not fill the disk."""


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
    """Describe the events that no redelivery can cure, kept for an operator."""
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


async def purge_letters(
    connection: AsyncConnection, table: Table, *, most: int = MOST_LETTERS
) -> int:
    """Forget a small chunk of the dead letters that are too old or too many; tell how many.

    There are few enough of them that no index on their age is needed.
    """
    newest_beyond = select(table.c.id).order_by(table.c.id.desc()).offset(most).limit(1)
    old = (
        select(table.c.id)
        .where(
            or_(
                table.c.died_at < func.now() - LETTERS_KEPT_FOR,
                table.c.id <= newest_beyond.scalar_subquery(),
            )
        )
        .order_by(table.c.id)
    )
    return await purging.forget_chunk(connection, table, old, chunk=purging.SMALL_CHUNK)
