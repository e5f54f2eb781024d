"""Databases: every service has its own role and schema, whoever migrates and how often."""

import asyncio
from typing import Any

import asyncpg
import pytest

from services.chassis import migrate, preflight, sql
from services.chassis.run import StartError

pytestmark = pytest.mark.anyio

SERVICES = migrate.known_services()


@pytest.fixture
async def empty(databases: Any) -> str:
    """A database that nobody migrated."""
    connection = await asyncpg.connect(sql.plain_url(databases.server_url))
    await connection.execute("drop database if exists empty with (force)")
    await connection.execute("create database empty template template0")
    await connection.close()
    return str(databases.server_url.rpartition("/")[0] + "/empty")


async def test_migrating_at_the_same_time_does_the_work_once(empty: str) -> None:
    """Two replicas of a migration job, or two developers, must not break each other."""
    revisions = await asyncio.gather(*(migrate.migrate(empty) for _ in range(4)))

    expected = {service: preflight.required_revision(service) for service in SERVICES}
    assert revisions == [expected] * 4


async def test_migrating_again_is_quick_and_changes_nothing(empty: str) -> None:
    """It runs before every start."""
    first = await migrate.migrate(empty)
    began = asyncio.get_running_loop().time()

    again = await migrate.migrate(empty)

    assert again == first
    assert asyncio.get_running_loop().time() - began < 2


async def test_an_unknown_service_is_one_sentence(empty: str) -> None:
    """A typing error must not make a role."""
    with pytest.raises(StartError, match="no migrations of 'bugdet'"):
        await migrate.migrate(empty, ["bugdet"])


async def test_a_wrong_migrator_is_one_sentence(empty: str) -> None:
    """And one without the password."""
    password = empty.split(":")[2].split("@", maxsplit=1)[0]

    with pytest.raises(StartError, match="correct DATABASE_URL") as caught:
        await migrate.migrate(empty.replace(password, "hunter2"))

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_role_reaches_its_own_schema_only(postgres: str, service: str) -> None:
    """A service reads no other service's tables, not even by mistake (INV-10's ground)."""
    connection = await asyncpg.connect(sql.plain_url(sql.role_url(postgres, service)))
    others = [
        row["nspname"]
        for row in await connection.fetch("select nspname from pg_namespace")
        if row["nspname"] in SERVICES and row["nspname"] != service
    ]
    forbidden = [
        "create table public.mine (a int)",
        "create temporary table mine (a int)",
        f"create table {service}.mine (a int)",
        *(f"select * from {other}.alembic_version" for other in others),
    ]
    for statement in forbidden:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_role_bounds_whatever_it_does(postgres: str, service: str) -> None:
    """Without limits one forgotten transaction stops everybody."""
    connection = await asyncpg.connect(sql.plain_url(sql.role_url(postgres, service)))
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    limits = [await connection.fetchval(f"show {name}") for name in names]
    path = await connection.fetchval("show search_path")
    await connection.close()

    assert "0" not in limits
    assert service not in path
