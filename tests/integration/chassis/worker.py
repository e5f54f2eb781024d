"""A process that relays and reads until it is killed; see test_kill."""

import asyncio
import os

from services.chassis import telemetry
from services.chassis.events import consumer
from tests.integration.chassis.conftest import exchanging


class _Logs:
    log_level = "ERROR"
    log_format = "json"


async def main() -> None:
    """Work for as long as the test lets it."""
    async with exchanging(
        os.environ["DATABASE_URL"], os.environ["NATS_URL"], os.environ["SCHEMA"]
    ) as exchange:
        exchange.start(exchange.relay().run)
        exchange.start(exchange.consumer().run)
        await asyncio.Event().wait()


if __name__ == "__main__":
    telemetry.configure_logging(_Logs())
    # A killed reader's events must come back within the patience of the test.
    consumer.ACK_WAIT_SECONDS = 1.0
    asyncio.run(main())
