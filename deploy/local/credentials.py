"""Each service's own way into the database, with the password in a file instead of the address."""

from collections.abc import Mapping

from sqlalchemy import URL, make_url

from deploy.local.folder import DataFolder
from deploy.local.settings import BadSetting
from deploy.local.stack import SERVICES
from services.chassis import sql


def service_database_urls(
    migrator_url: str, folder: DataFolder, environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the database address of each service, by service, free of secrets where derived.

    The password goes to a file that asyncpg reads, so that neither the environment of a process
    nor a file that a person copies a command from holds it.

    Raises:
        BadSetting: The migrator's address has no password to derive others from.
    """
    urls = {}
    for service in SERVICES:
        given = environment.get(f"{service.upper()}_DATABASE_URL")
        urls[service] = given or _derived(migrator_url, service, folder)
    return urls


def _derived(migrator_url: str, service: str, folder: DataFolder) -> str:
    try:
        url = make_url(sql.role_url(migrator_url, service))
    except ValueError as error:
        raise BadSetting(f"{error}.") from None
    file = folder.secret(f"{service}.pgpass", f"{_escaped_line(url)}\n")
    bare = URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
    query = dict(url.query) | {"passfile": str(file)}
    return bare.set(query=query).render_as_string(hide_password=False)


def _escaped_line(url: URL) -> str:
    """Write a line of a password file; colons and backslashes are escaped.

    Source: PostgreSQL documentation, libpq, "The Password File".
    """
    fields = ("*", "*", url.database or "*", url.username or "*", str(url.password))
    return ":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields)
