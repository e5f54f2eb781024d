"""What a person asked for, from options and the environment, or one sentence on what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.process import CannotStart
from deploy.local.stack import (
    DEFAULT_TICK_SECONDS,
    HIGHEST_PORT,
    SERVICES,
    SHORTEST_TICK_SECONDS,
    Keepa,
    Ports,
    Sandbox,
)

HIGHEST_BASE = HIGHEST_PORT - len(SERVICES) - 3
STAND_IN_KEY = "stand-in"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class BadSetting(CannotStart):
    """A setting that cannot work; the message names it and says what is allowed."""


@dataclass(frozen=True)
class Choices:
    """One stack as somebody wants it.

    Attributes:
        data: The folder that keeps everything; None for one that goes away.
        database_url: The migrator's; None starts the embedded PostgreSQL.
        nats_url: None starts the embedded NATS.
        environment: Ours, for the parts to take what they may see.
    """

    ports: Ports
    keepa: Keepa
    sandbox: Sandbox
    data: Path | None = None
    database_url: str | None = field(default=None, repr=False)
    nats_url: str | None = field(default=None, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_environment(
    environment: Mapping[str, str], *, ports: Ports, sandbox: Sandbox, data: Path | None
) -> Choices:
    """Combine the options with the environment.

    Raises:
        BadSetting: Something cannot work.
    """
    for service in SERVICES:
        own = f"{service.upper()}_DATABASE_URL"
        if environment.get(own) and not environment.get("DATABASE_URL"):
            raise BadSetting(f"{own} is set but DATABASE_URL, which makes its schema, is not.")
    return Choices(
        ports=ports,
        keepa=_keepa(environment),
        sandbox=_checked(sandbox),
        data=data,
        database_url=_url(environment, "DATABASE_URL", ("postgresql", "postgres")),
        nats_url=_url(environment, "NATS_URL", ("nats", "tls", "ws", "wss")),
        environment=environment,
    )


def ports_above(base: int | None, *, postgres: int | None, nats: int | None) -> Ports:
    """Lay out the ports; the engines' own options win over the base.

    Raises:
        BadSetting: A number is not a port.
    """
    if base is not None and not 1024 <= base <= HIGHEST_BASE:
        raise BadSetting(f"--port-base must be from 1024 to {HIGHEST_BASE}, not {base}.")
    ports = Ports() if base is None else Ports.above(base)
    for name, port in (("postgres", postgres), ("nats", nats)):
        if port is None:
            continue
        if not 1 <= port <= HIGHEST_PORT:
            raise BadSetting(f"--{name}-port must be from 1 to {HIGHEST_PORT}, not {port}.")
        ports = ports.moved(name, port)
    return ports


def _checked(sandbox: Sandbox) -> Sandbox:
    if sandbox.rate < 1:
        raise BadSetting(f"--rate must be at least 1 token per tick, not {sandbox.rate}.")
    if sandbox.catalog is not None and not sandbox.catalog.is_dir():
        raise BadSetting(f"--catalog must name a folder of recorded answers: {sandbox.catalog}.")
    return sandbox


def _url(environment: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    """Read an address without ever repeating it: it may hold a password."""
    value = environment.get(name, "").strip()
    if not value:
        return None
    for each in value.split(","):
        try:
            parts = urlsplit(each)
            known = parts.scheme.partition("+")[0] in schemes and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            known = False
        if not known:
            raise BadSetting(f"{name} must look like {schemes[0]}://host:port/...")
    return value


def _keepa(environment: Mapping[str, str]) -> Keepa:
    base_url = _url(environment, "KEEPA_BASE_URL", ("http", "https"))
    key = environment.get("KEEPA_API_KEY", "").strip() or None
    file = environment.get("KEEPA_API_KEY_FILE", "").strip()
    if key and file:
        raise BadSetting("KEEPA_API_KEY and KEEPA_API_KEY_FILE are both set: set only one.")
    key_file = _key_file(Path(file)) if file else None
    if base_url and not (key or key_file):
        if urlsplit(base_url).hostname not in LOOPBACK:
            raise BadSetting("KEEPA_BASE_URL is set but no key: set KEEPA_API_KEY_FILE as well.")
        key = STAND_IN_KEY
    keepa = Keepa(base_url, key, key_file, _tick_seconds(environment))
    real = not keepa.is_sandbox and (base_url is None or "api.keepa.com" in base_url)
    if real and keepa.tick_seconds != DEFAULT_TICK_SECONDS:
        raise BadSetting("KEEPA_TICK_SECONDS is for a sandbox only: Keepa's own ticks last 60.2 s.")
    return keepa


def _key_file(path: Path) -> Path:
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise BadSetting(f"KEEPA_API_KEY_FILE cannot be read: {path}.") from None
    if not text:
        raise BadSetting(f"KEEPA_API_KEY_FILE is empty: {path}.")
    return path.absolute()


def _tick_seconds(environment: Mapping[str, str]) -> float:
    value = environment.get("KEEPA_TICK_SECONDS", "").strip() or str(DEFAULT_TICK_SECONDS)
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not SHORTEST_TICK_SECONDS <= seconds <= DEFAULT_TICK_SECONDS:
        allowed = f"from {SHORTEST_TICK_SECONDS} to {DEFAULT_TICK_SECONDS}"
        raise BadSetting(f"KEEPA_TICK_SECONDS must be seconds {allowed}.")
    return seconds
