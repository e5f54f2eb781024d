"""Turns between replicas, as advisory locks of the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql


class PostgresTurn:
    """Implements ``ports.Turn``: the lock belongs to a transaction and ends with its connection."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def take(self, name: str) -> AsyncIterator[bool]:
        """Take a session lock and give it back; a broken connection gives it back by itself."""
        key = {"key": sql.lock_number(f"keepa_gateway {name}")}
        async with self._engine.connect() as connection:
            autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
            taken = await autocommit.scalar(text("select pg_try_advisory_lock(:key)"), key)
            try:
                yield bool(taken)
            finally:
                if taken:
                    await autocommit.execute(text("select pg_advisory_unlock(:key)"), key)
