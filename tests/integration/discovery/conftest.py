"""Replicas over one database for each test module, emptied before each test."""

from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from services.chassis import sql
from tests.integration.discovery.stage import Purse, Replica, Till, replica

TABLES = "requests, lists, scores, score_cache, searches, steps, flights, outbox, inbox"
TABLES += ", saved_niches, favorites, blocked_products, config_revisions, search_results"


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
def purse() -> Purse:
    return Purse()


@pytest.fixture
async def discovery_url(database: str, service_database: Callable[[str], str]) -> str:
    """The service's own URL of an empty database."""
    connection = await asyncpg.connect(sql.plain_url(database))
    names = ", ".join(f"discovery.{name.strip()}" for name in TABLES.split(","))
    await connection.execute(f"truncate {names}")
    await connection.close()
    return service_database("discovery")


@pytest.fixture
async def one(discovery_url: str, till: Till, purse: Purse) -> AsyncIterator[Replica]:
    async with replica(discovery_url, till, purse) as made:
        yield made


@pytest.fixture
async def two(one: Replica, discovery_url: str, till: Till, purse: Purse) -> AsyncIterator[Replica]:
    async with replica(discovery_url, till, purse) as made:
        yield made
