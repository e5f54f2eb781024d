"""One replica at a time does what one is enough for, and none of them can keep it to itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql
from services.keepa_gateway.storage.turn import PostgresTurn
from tests.support import until

pytestmark = pytest.mark.anyio
SILENCE = timedelta(seconds=0.3)


@pytest.fixture
async def engines(
    service_database: Callable[[str], str],
) -> AsyncIterator[tuple[AsyncEngine, AsyncEngine]]:
    url = service_database("keepa_gateway")
    one, other = (sql.create_engine(url, application="test", pool_size=1) for _ in range(2))
    yield one, other
    await one.dispose()
    await other.dispose()


async def test_only_one_replica_has_the_turn(engines: tuple[AsyncEngine, AsyncEngine]) -> None:
    one, other = (PostgresTurn(engine) for engine in engines)

    async with one.take("reconciler") as first, other.take("reconciler") as second:
        assert first
        assert not second
    async with other.take("reconciler") as again:
        assert again


async def test_a_frozen_replica_loses_its_turn_and_lives_on(
    engines: tuple[AsyncEngine, AsyncEngine],
) -> None:
    """A stopped machine keeps its connections open: unsettled tokens would wait for it for ever."""
    frozen, other = (PostgresTurn(engine, silence=SILENCE) for engine in engines)

    async def taken_over() -> bool:
        async with other.take("reconciler") as second:
            return second

    async with frozen.take("reconciler") as first:
        assert first
        await until(taken_over)
    async with frozen.take("reconciler") as afterwards:
        assert afterwards


async def test_a_connection_that_had_a_turn_may_rest_as_long_as_it_likes(
    engines: tuple[AsyncEngine, AsyncEngine],
) -> None:
    """The limit belongs to the turn; the pool's connections are used for everything else."""
    turn = PostgresTurn(engines[0], silence=SILENCE)

    async with turn.take("reconciler"):
        pass
    await asyncio.sleep(3 * SILENCE.total_seconds())

    async with turn.take("reconciler") as again:
        assert again
