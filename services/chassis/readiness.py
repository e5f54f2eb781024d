"""Tells balancers to look elsewhere while this process cannot reach its database."""

import asyncio
from collections.abc import Sequence

import asyncpg
from grpc_health.v1._async import HealthServicer

from services.chassis import sql, telemetry
from services.chassis.rpc import server as servers

PERIOD_SECONDS = 1.0
FAILURES = 2

_log = telemetry.get_logger(__name__)


class Readiness:
    """Asks the database every second, on a connection of its own, and reports its health.

    One failure may be a hiccup; the second in a row makes every service NOT_SERVING, and the
    first answer makes them SERVING again.
    """

    def __init__(
        self, database_url: str, health: HealthServicer, full_names: Sequence[str]
    ) -> None:
        self._url = sql.plain_url(database_url)
        self._health = health
        self._names = ("", *full_names)
        self._connection: asyncpg.Connection | None = None
        self._failures = 0

    async def run(self) -> None:
        """Watch for ever."""
        try:
            while True:
                await asyncio.sleep(PERIOD_SECONDS)
                await self._report(answers=await self._answers())
        finally:
            self._forget()

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PERIOD_SECONDS):
                if self._connection is None:
                    self._connection = await asyncpg.connect(
                        self._url, server_settings={"application_name": "readiness"}
                    )
                await self._connection.execute("select 1")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._forget()
            return False
        return True

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _report(self, *, answers: bool) -> None:
        before, self._failures = self._failures, 0 if answers else self._failures + 1
        if before >= FAILURES and answers:
            _log.info("database found again")
            await self._set(servers.SERVING)
        elif self._failures == FAILURES:
            _log.error("database lost")
            await self._set(servers.NOT_SERVING)

    async def _set(self, status: int) -> None:
        for name in self._names:
            await self._health.set(name, status)
