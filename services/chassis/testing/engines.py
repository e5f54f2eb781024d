"""Fixtures: PostgreSQL and NATS that really run, one of each per test process."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from deploy.local.nats import Nats
from deploy.local.postgres import Postgres
from services.chassis import migrate, sql

_TEMPLATE = "migrated_template"
_numbers = itertools.count(1)


@dataclass
class Databases:
    """A server with a migrated template, of which copies cost a tenth of a second.

    Attributes:
        server_url: The superuser's, for the maintenance database.
        broken: Services whose migrations failed, and how; they fail the tests that need them.
    """

    server_url: str
    broken: dict[str, Exception] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the template."""
        _run(self._execute(f"create database {_TEMPLATE}"))
        for service in migrate.known_services():
            try:
                _run(migrate.migrate(self._url(_TEMPLATE), [service]))
            except Exception as error:  # noqa: BLE001 - one service must not fail another's tests
                self.broken[service] = error

    def copy(self) -> str:
        """Make a fresh database with everybody's empty tables; returns the superuser's URL."""
        name = f"test_{next(_numbers)}"
        _run(self._copy_template(name))
        return self._url(name)

    def drop(self, database_url: str) -> None:
        """Drop a copy, whoever is still connected to it."""
        name = make_url(database_url).database
        _run(self._execute(f"drop database if exists {name} with (force)"))

    def role_url(self, database_url: str, service: str) -> str:
        """Give a service's own URL for a copy."""
        if service in self.broken:
            raise self.broken[service]
        return sql.role_url(database_url, service)

    def _url(self, database: str) -> str:
        return (
            make_url(self.server_url).set(database=database).render_as_string(hide_password=False)
        )

    async def _copy_template(self, name: str) -> None:
        await self._execute(f"create database {name} template {_TEMPLATE}")
        connection = await asyncpg.connect(sql.plain_url(self._url(name)))
        try:
            await migrate.close_to_public(connection, self._url(name))
        finally:
            await connection.close()

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(sql.plain_url(self.server_url))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The server of this test process."""
    with Postgres.start(durable=False) as server:
        made = Databases(server.url)
        made.prepare()
        yield made


@pytest.fixture(scope="session")
def postgres(databases: Databases) -> str:
    """The superuser's URL of a migrated database that lives as long as the test process."""
    return databases.copy()


@pytest.fixture(scope="module")
def database(databases: Databases) -> Iterator[str]:
    """The superuser's URL of a migrated database that is fresh for each test module."""
    made = databases.copy()
    yield made
    databases.drop(made)


@pytest.fixture
def fresh_database(databases: Databases) -> Iterator[str]:
    """The superuser's URL of a migrated database that is fresh for each test."""
    made = databases.copy()
    yield made
    databases.drop(made)


@pytest.fixture(scope="module")
def service_database(databases: Databases, database: str) -> Callable[[str], str]:
    """A function from a service's name to its own role's URL, in the module's database."""
    return lambda service: databases.role_url(database, service)


@pytest.fixture
def fresh_service_database(databases: Databases, fresh_database: str) -> Callable[[str], str]:
    """The same, in the test's own database."""
    return lambda service: databases.role_url(fresh_database, service)


@pytest.fixture(scope="session")
def nats_server() -> Iterator[str]:
    """The URL of the broker of this test process; its streams are shared by all of its tests."""
    with Nats.start(durable=False) as server:
        yield server.url


@pytest.fixture
def fresh_nats_server() -> Iterator[str]:
    """The URL of a broker without any streams, for tests that count or kill."""
    with Nats.start(durable=False) as server:
        yield server.url


def _run(work: Any) -> None:
    """Run on a loop of its own: a fixture may be asked for while the test's loop runs."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
