"""Turns between replicas, as advisory locks of the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql

# Longer than any turn's work; a holder that says nothing for so long is frozen or cut off.
LONGEST_SILENCE = timedelta(seconds=60)
_TAKE = text(
    "select case when pg_try_advisory_lock(:key)"
    " then set_config('idle_session_timeout', :silence, false) end is not null"
)
_GIVE_BACK = text("select pg_advisory_unlock(:key), set_config('idle_session_timeout', '0', false)")


class PostgresTurn:
    """Implements ``ports.Turn``: the lock belongs to a session and ends with its connection.

    A process that died loses both at once. One that froze keeps its connection open, so the
    server ends the session of a holder that was silent for too long, and the next one takes over.
    """

    def __init__(self, engine: AsyncEngine, *, silence: timedelta = LONGEST_SILENCE) -> None:
        self._engine = engine
        self._silence = f"{round(silence.total_seconds() * 1000)}ms"

    @asynccontextmanager
    async def take(self, name: str) -> AsyncIterator[bool]:
        """Take a session lock and give it back; a broken connection gives it back by itself."""
        key = sql.lock_number(f"keepa_gateway {name}")
        async with self._engine.connect() as connection:
            autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
            taken = await autocommit.scalar(_TAKE, {"key": key, "silence": self._silence})
            try:
                yield bool(taken)
            finally:
                if taken:
                    try:
                        await autocommit.execute(_GIVE_BACK, {"key": key})
                    except SQLAlchemyError as error:
                        if not sql.unavailable(error):
                            raise
                        await connection.invalidate()
