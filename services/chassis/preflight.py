"""Before a service starts: its port is free, its database answers and has the right tables."""

import asyncio
import errno
import os
import re
import socket
import time
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from services.chassis import sql, telemetry
from services.chassis.settings import ServiceSettings

_SERVICES = Path(__file__).parent.parent
_REVISION = re.compile(r"^revision\b[^=]*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)
_MIGRATE = "run `python -m services.chassis.migrate` with the migrator's DATABASE_URL"
_POLL_SECONDS = 0.3
_ROLE_PATIENCE_SECONDS = 5.0
_log = telemetry.get_logger(__name__)


class StartError(Exception):
    """The service cannot start; the message says in one sentence why and what to do."""


def check_port(settings: ServiceSettings) -> None:
    """Find out early whether the port can be taken.

    Raises:
        StartError: It cannot.
    """
    name, host, port = settings.service(), settings.host.strip("[]"), settings.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        place = f"{name} cannot listen on {settings.host}:{port}"
        variable = name.upper()
        if error.errno == errno.EADDRINUSE:
            raise port_taken(settings) from error
        told = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise StartError(f"{place}: {told}; correct {variable}_HOST or {variable}_PORT.") from error


def port_taken(settings: ServiceSettings) -> StartError:
    """Say which port is taken and what to do."""
    name, port = settings.service(), settings.port
    return StartError(
        f"{name} cannot listen on {settings.host}:{port}: another process has port {port}; "
        f"stop it, or set {name.upper()}_PORT."
    )


async def await_database(settings: ServiceSettings) -> None:
    """Wait until the database answers to the service's role and holds its tables.

    Raises:
        StartError: It did not within the patience of the settings.
    """
    began = time.monotonic()
    while True:
        try:
            await _try_database(settings)
        except _NotYetError as obstacle:
            waited = time.monotonic() - began
            if waited >= min(settings.start_patience_seconds, obstacle.patience):
                raise StartError(f"{settings.service()} {obstacle}") from obstacle
            _log.debug("database awaited", obstacle=str(obstacle))
        else:
            return
        await asyncio.sleep(_POLL_SECONDS)


def required_revision(service: str) -> str | None:
    """Read the revision that the code needs from its newest migration; ``None`` without any."""
    folder = _SERVICES / service / "storage" / "migrations" / "versions"
    files = sorted(folder.glob("[0-9]*.py"))
    found = _REVISION.search(files[-1].read_text()) if files else None
    return found.group(1) if found else None


async def applied_revision(connection: asyncpg.Connection, service: str) -> str | None:
    """Read the revision that the database has; ``None`` when the service was never migrated."""
    query = f"select version_num from {service}.alembic_version"  # noqa: S608 - our own name
    try:
        found: str | None = await connection.fetchval(query)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return None
    return found


class _NotYetError(Exception):
    """An obstacle that may go away, and how long to hope for it."""

    def __init__(self, message: str, patience: float = float("inf")) -> None:
        super().__init__(message)
        self.patience = patience


async def _try_database(settings: ServiceSettings) -> None:
    service, url = settings.service(), make_url(settings.database_url)
    variable = f"{service.upper()}_DATABASE_URL"
    where = f"PostgreSQL at {url.host}:{url.port or 5432}"
    try:
        connection = await asyncpg.connect(sql.plain_url(settings.database_url), timeout=5)
    except (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
    ) as error:
        raise _NotYetError(
            f"is not let in by {where} as role {url.username}, database {url.database}: "
            f"{_MIGRATE}, or correct {variable}.",
            _ROLE_PATIENCE_SECONDS,
        ) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _NotYetError(
            f"cannot reach {where} ({type(error).__name__}): start it, or correct {variable}."
        ) from error
    try:
        await _check_tables(connection, service)
    finally:
        await connection.close()


async def _check_tables(connection: asyncpg.Connection, service: str) -> None:
    """Compare the applied revision with ours; a newer one is fine, code may lag behind."""
    if await connection.fetchval("show synchronous_commit") == "off":
        _log.warning("commits may be lost", synchronous_commit="off")
    needed = required_revision(service)
    if needed is None:
        return
    applied = await applied_revision(connection, service)
    if applied is None or applied < needed:
        raise _NotYetError(
            f"needs schema revision {needed}, but the database has {applied or 'none'}: "
            f"{_MIGRATE}.",
            _ROLE_PATIENCE_SECONDS,
        )
