"""Makes the roles, schemas and tables of the services: `python -m services.chassis.migrate`."""

import asyncio
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.chassis import preflight, sql
from services.chassis.preflight import StartError

_SERVICES = Path(__file__).parent.parent
_ENVIRONMENT = Path(__file__).parent / "migrations"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_PATIENCE_SECONDS = 30.0
_TRIES = 20
_LOCK = sql.lock_number("arbitragevault migrations")

_DATABASE = """
revoke create on schema public from public;
revoke temporary on database {database} from public;
"""
# The search path is empty because every statement names its schema: a path that holds the
# service's own schema, as the default one does, hides a missing name until it is wrong.
_ROLE = """
do $do$ begin
    if not exists (select from pg_roles where rolname = '{role}') then
        create role {role} login;
    end if;
end $do$;
alter role {role} with login password '{password}' connection limit 100;
alter role {role} set search_path = '';
alter role {role} set statement_timeout = '{statement}';
alter role {role} set lock_timeout = '{lock}';
alter role {role} set idle_in_transaction_session_timeout = '{idle}';
create schema if not exists {role};
revoke all on schema {role} from public;
grant usage on schema {role} to {role};
grant connect on database {database} to {role};
"""


def known_services() -> list[str]:
    """List the services that have migrations, by name."""
    folders = _SERVICES.glob("*/storage/migrations/versions")
    names = sorted(folder.parents[2].name for folder in folders)
    return [name for name in names if preflight.required_revision(name)]


async def migrate(database_url: str, services: Sequence[str] = ()) -> dict[str, str]:
    """Bring the database to what the code needs; at once when there is nothing to do.

    Safe to run again, and by several processes at once: one works, the others wait.

    Args:
        database_url: The migrator's. It may create roles and schemas.
        services: Whose; all that have migrations when empty.

    Returns:
        The revision of each service, by its name.

    Raises:
        StartError: The database does not answer, or a name is no service's.
    """
    chosen = list(services) or known_services()
    for service in chosen:
        if not _NAME.fullmatch(service) or service not in known_services():
            raise StartError(f"there are no migrations of {service!r}; known: {known_services()}")
    connection = await _connect(database_url)
    try:
        await connection.execute(f"select pg_advisory_lock({_LOCK})")
        await close_to_public(connection, database_url)
        return {service: await _bring(connection, database_url, service) for service in chosen}
    finally:
        await connection.close()


async def close_to_public(connection: asyncpg.Connection, database_url: str) -> None:
    """Take from everybody what PostgreSQL allows everybody; a copy of a database has it again."""
    await _repeated(connection, _DATABASE.format(database=_database(database_url)))


async def _bring(connection: asyncpg.Connection, database_url: str, service: str) -> str:
    """Bring one service's role and schema up to date and return its revision."""
    password = make_url(sql.role_url(database_url, service)).password
    statements = _ROLE.format(
        role=service,
        password=password,
        database=_database(database_url),
        statement=sql.STATEMENT_TIMEOUT,
        lock=sql.LOCK_TIMEOUT,
        idle=sql.IDLE_TIMEOUT,
    )
    await _repeated(connection, statements)
    needed = preflight.required_revision(service)
    assert needed is not None, "only services with migrations are known"
    applied = await preflight.applied_revision(connection, service)
    if applied is None or applied < needed:
        await _upgrade(database_url, service)
        await connection.execute(f"grant select on {service}.alembic_version to {service}")
        applied = needed
    return applied


async def _upgrade(database_url: str, service: str) -> None:
    """Run the missing migrations in one transaction that waits for no lock longer than 4 s."""
    engine = create_async_engine(
        sql.async_url(database_url),
        poolclass=NullPool,
        connect_args={
            "server_settings": {
                "application_name": f"migrate {service}",
                "lock_timeout": "4s",
                "statement_timeout": "60s",
                "search_path": "",
            }
        },
    )
    async with engine.begin() as connection:
        await connection.run_sync(_run_alembic, service)
    await engine.dispose()


def _run_alembic(connection: Connection, service: str) -> None:
    config = Config()
    versions = _SERVICES / service / "storage" / "migrations" / "versions"
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(versions))
    config.attributes["connection"] = connection
    config.attributes["schema"] = service
    command.upgrade(config, "head")


async def _connect(database_url: str) -> asyncpg.Connection:
    """Connect, waiting for a server that is still starting."""
    url, began = make_url(database_url), time.monotonic()
    while True:
        try:
            return await asyncpg.connect(sql.plain_url(database_url), timeout=5)
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError):
            raise StartError(
                f"PostgreSQL at {url.host}:{url.port or 5432} does not let {url.username} into "
                f"{url.database}: correct DATABASE_URL."
            ) from None
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            if time.monotonic() - began > _PATIENCE_SECONDS:
                raise StartError(
                    f"PostgreSQL at {url.host}:{url.port or 5432} does not answer "
                    f"({type(error).__name__}): start it, or correct DATABASE_URL."
                ) from None
        await asyncio.sleep(0.3)


async def _repeated(connection: asyncpg.Connection, statements: str) -> None:
    """Run statements on what all databases of a server share; the lock guards only this one."""
    for attempt in range(_TRIES):
        try:
            await connection.execute(statements)
        except (asyncpg.InternalServerError, asyncpg.UniqueViolationError):
            # "tuple concurrently updated": somebody alters the same role from another database.
            if attempt + 1 == _TRIES:
                raise
            await asyncio.sleep(0.05)
        else:
            return


def _database(database_url: str) -> str:
    name = make_url(database_url).database or "postgres"
    return '"' + name.replace('"', '""') + '"'


def main() -> None:
    """Migrate the services named on the command line, else all of them."""
    database_url = os.environ.get("DATABASE_URL")
    if not database_url:
        sys.exit("DATABASE_URL: set it to PostgreSQL as the migrator")
    try:
        revisions = asyncio.run(migrate(database_url, sys.argv[1:]))
    except StartError as error:
        sys.exit(str(error))
    for service, revision in revisions.items():
        sys.stdout.write(f"{service} {revision}\n")


if __name__ == "__main__":
    main()
