"""Forgetting old rows a chunk at a time: short transactions, and nobody waits for anybody."""

import time
from datetime import timedelta
from typing import Any

from sqlalchemy import Column, Select, Table, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import sql

CHUNK = 2_000
"""Rows that one transaction forgets, so that none meets the limit of a statement."""

SMALL_CHUNK = 200
"""The same for rows of many kilobytes, whose bytes the database deletes piece by piece."""

PAUSE_SECONDS = 3600.0
"""How long nothing is looked for after everything old was found."""


def older(table: Table, instant: Column[Any], age: timedelta) -> Select[Any]:
    """Choose the rows whose instant is longer ago than ``age``, the oldest first.

    ``now()`` stands still within a statement, so that an index on the instant is asked for just
    these rows; ``clock_timestamp()`` would have every row of the table compared.
    """
    return select(*table.primary_key).where(instant < func.now() - age).order_by(instant)


async def forget_chunk(
    connection: AsyncConnection, table: Table, old: Select[Any], *, chunk: int = CHUNK
) -> int:
    """Delete at most ``chunk`` rows in the running transaction, and tell how many it were.

    Rows that somebody else has locked are passed over; they are there the next time. The role
    needs the right to update a column, because rows are locked before they are deleted.

    Args:
        connection: Inside a transaction that does nothing else.
        table: Where they are.
        old: Their primary keys, in the order in which they go. An index on that order is what
            keeps each chunk from reading the whole table.
        chunk: `SMALL_CHUNK` for large rows.
    """
    # A common table expression that locks is run once. As a subquery, the planner may run it
    # for each row that it compares, and every run would find another chunk.
    chosen = old.limit(chunk).with_for_update(of=table, skip_locked=True).cte("chosen")
    gone = delete(table).where(tuple_(*table.primary_key).in_(select(chosen)))
    return int((await connection.execute(gone)).rowcount)


async def forget(engine: AsyncEngine, table: Table, old: Select[Any], *, chunk: int = CHUNK) -> int:
    """Delete all that is old, each chunk in a transaction of its own; tell how many it were.

    An end in the middle loses nothing: what is left is as old the next time.
    """
    gone = 0
    while True:
        async with sql.transaction(engine) as connection:
            found = await forget_chunk(connection, table, old, chunk=chunk)
        gone += found
        if found < chunk:
            return gone


class Rounds:
    """Says when a loop that has other work forgets another chunk: between two pieces of it.

    So a backlog of any length goes in the end, and the work waits for one chunk at the most.

    Args:
        chunk: How many rows a full chunk has.
    """

    def __init__(self, chunk: int = CHUNK) -> None:
        self._chunk = chunk
        self._next = float("-inf")

    def due(self) -> bool:
        """Tell whether it is time for a chunk."""
        return time.monotonic() >= self._next

    def went(self, found: int) -> None:
        """Remember how many rows a chunk had; only a full one is followed by the next at once."""
        if found < self._chunk:
            self._next = time.monotonic() + PAUSE_SECONDS

    def soon(self) -> None:
        """Let it be time at once: as many rows as a chunk has may have become too many."""
        self._next = float("-inf")
