"""One statement on its own: as safe as a transaction around it, with a third of the round trips."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


@asynccontextmanager
async def statement(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Give a connection on which each statement commits by itself.

    Only for blocks of exactly one statement: a second one would not be undone with the first.
    """
    async with engine.connect() as connection:
        yield await connection.execution_options(isolation_level="AUTOCOMMIT")
