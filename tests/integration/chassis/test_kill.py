"""The whole way of an event while its carriers are killed again and again."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from pathlib import Path
from random import Random

import pytest

from tests.integration.chassis.conftest import Exchange
from tests.support import until

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
EVENTS = 400
KILLS = int(os.environ.get("KILLS", "1"))
SEED = 20261120


async def _worker(exchange: Exchange, database_url: str, nats_url: str) -> Process:
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "NATS_URL": nats_url,
        "SCHEMA": str(exchange.metadata.schema),
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.chassis.worker", env=variables, cwd=ROOT
    )


async def test_every_event_is_effective_once_though_its_carriers_are_killed(
    exchange: Exchange, postgres: str, fresh_nats_server: str
) -> None:
    """Kill points K12 to K17, wherever the signal happens to strike."""
    random = Random(SEED)
    await exchange.publish_to()
    for start in range(0, EVENTS, 100):
        await exchange.put(*range(start, start + 100))

    for kill in range(KILLS):
        worker = await _worker(exchange, postgres, fresh_nats_server)

        async def has_begun(least: int = 1 + 100 * kill) -> bool:
            return await exchange.count("effect") >= least

        await until(has_begun)
        await asyncio.sleep(random.uniform(0, 0.2))
        worker.kill()
        await worker.wait()
    struck_in_the_middle = await exchange.count("effect") < EVENTS
    last = await _worker(exchange, postgres, fresh_nats_server)

    async def all_there() -> bool:
        return await exchange.count("effect") >= EVENTS

    await until(all_there, 30)
    last.kill()
    await last.wait()

    assert struck_in_the_middle, "the kills came too late to prove anything"
    assert sorted(await exchange.effects()) == list(range(EVENTS))
    assert await exchange.count("dead") == 0
