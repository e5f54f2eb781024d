"""What the stack is made of: names, ports, commands, and the environment each part is given.

Pure: nothing here starts or reads anything. The rule it keeps is that every process is told only
what it needs. The Keepa key reaches the gateway alone, and a service knows its own database role.
"""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

HOST = "127.0.0.1"
SERVICES = ("budget", "keepa_gateway", "discovery", "autosourcing")
TITLES = {"postgres": "PostgreSQL", "nats": "NATS"}  # The others go by their own names.
DEFAULT_TICK_SECONDS = 60.2
SHORTEST_TICK_SECONDS = 0.02
HIGHEST_PORT = 65535

# What programs of any kind expect to find, and what says how they log and trace.
AMBIENT = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "LOG_LEVEL", "LOG_FORMAT")
AMBIENT_PREFIXES = ("OTEL_",)
# How to reach the world outside; only the gateway ever does.
OUTWARD = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
PEERS = {
    "budget": (),
    "keepa_gateway": ("budget",),
    "discovery": ("keepa_gateway", "budget"),
    "autosourcing": ("discovery", "budget"),
}


@dataclass(frozen=True)
class Ports:
    """Where each part listens on the loopback address; 0 chooses a free port."""

    postgres: int = 5432
    nats: int = 4222
    sandbox: int = 8090
    budget: int = 50051
    keepa_gateway: int = 50052
    discovery: int = 50053
    autosourcing: int = 50054

    @classmethod
    def above(cls, base: int) -> "Ports":
        """Lay all parts out above one number, so that a second stack needs only that number."""
        services = {name: base + 1 + at for at, name in enumerate(SERVICES)}
        return cls(postgres=base + 5, nats=base + 6, sandbox=base + 7, **services)

    def of(self, part: str) -> int:
        """Return the port of a part by its name."""
        port: int = getattr(self, part)
        return port

    def moved(self, part: str, port: int) -> "Ports":
        """Return the same ports with one of them changed."""
        return replace(self, **{part: port})


@dataclass(frozen=True)
class Keepa:
    """Where Keepa is: the sandbox, or an address with a key.

    Attributes:
        base_url: None means the sandbox when there is no key, and Keepa itself when there is.
        key: As given in KEEPA_API_KEY; never printed.
        key_file: As given in KEEPA_API_KEY_FILE.
        tick_seconds: The length of a refill tick; only a sandbox may change it.
    """

    base_url: str | None = None
    key: str | None = None
    key_file: Path | None = None
    tick_seconds: float = DEFAULT_TICK_SECONDS

    def __repr__(self) -> str:
        """Keep the key out of every trace."""
        return f"Keepa(base_url={self.base_url!r}, tick_seconds={self.tick_seconds})"

    @property
    def is_sandbox(self) -> bool:
        """Whether the sandbox of this stack stands in for Keepa."""
        return self.base_url is None and self.key is None and self.key_file is None


@dataclass(frozen=True)
class Sandbox:
    """How the stand-in behaves.

    Attributes:
        catalog: A folder of recorded answers; None for a generated catalogue.
        rate: Tokens per tick.
        balance: Tokens at the start; None for a full bucket.
    """

    catalog: Path | None = None
    rate: int = 20
    balance: int | None = None


@dataclass(frozen=True)
class Addresses:
    """What the parts of a running stack are told about each other.

    Attributes:
        database_urls: Each service's own, by service.
        key_file: Readable by the gateway.
    """

    ports: Ports
    database_urls: Mapping[str, str]
    nats_url: str
    nats_monitor_url: str | None
    keepa_url: str | None
    key_file: Path
    tick_seconds: float


def target(ports: Ports, service: str) -> str:
    """Return the address at which a service is called."""
    return f"{HOST}:{ports.of(service)}"


def ambient(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what any child may see of our own environment."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in AMBIENT or name.startswith(AMBIENT_PREFIXES)
    }
    return kept | {"TZ": "UTC", "PYTHONUNBUFFERED": "1"}


def service_command(service: str) -> tuple[str, ...]:
    """Return the command line of a service; it carries no setting, so it carries no secret."""
    return (sys.executable, "-m", f"services.{service}")


def by_hand_line(service: str, settings: Path) -> str:
    """Return what a person types to start a service by hand; folders may have spaces in them."""
    variable = f"ARBITRAGEVAULT_ENV_FILE={shlex.quote(str(settings))}"
    return f"{variable} {shlex.join(service_command(service))}"


def service_settings(service: str, to: Addresses) -> dict[str, str]:
    """Return the settings of one service: its own port, role and peers, and nobody else's."""
    own = service.upper()
    settings = {
        f"{own}_HOST": HOST,
        f"{own}_PORT": str(to.ports.of(service)),
        f"{own}_DATABASE_URL": to.database_urls[service],
        "NATS_URL": to.nats_url,
        "KEEPA_TICK_SECONDS": str(to.tick_seconds),
    }
    if to.nats_monitor_url:
        settings["NATS_MONITOR_URL"] = to.nats_monitor_url
    for peer in PEERS[service]:
        settings[f"{peer.upper()}_TARGET"] = target(to.ports, peer)
    if service == "keepa_gateway":
        settings["KEEPA_API_KEY_FILE"] = str(to.key_file)
    if service in ("keepa_gateway", "budget") and to.keepa_url:
        # Budget never goes there; it refuses shortened ticks unless this is no real account.
        settings["KEEPA_BASE_URL"] = to.keepa_url
    return settings


def service_environment(
    service: str, to: Addresses, environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the whole environment of one service.

    A variable with the service's own prefix passes through, so that any of its settings can be
    changed from outside; what this stack decides itself wins over it.
    """
    own = f"{service.upper()}_"
    passed = {
        name: value
        for name, value in environment.items()
        if name.startswith(own) and not name.endswith("_TARGET")
    }
    if service == "keepa_gateway":
        names = {*OUTWARD, *map(str.lower, OUTWARD)}
        passed |= {name: value for name, value in environment.items() if name in names}
    return ambient(environment) | passed | service_settings(service, to)


def sandbox_command(sandbox: Sandbox, port: int, tick_seconds: float) -> tuple[str, ...]:
    """Return the command line of the stand-in."""
    command = [sys.executable, "-m", "deploy.sandbox", "--port", str(port)]
    command += ["--rate", str(sandbox.rate), "--tick-seconds", str(tick_seconds), "--seed", "1"]
    if sandbox.catalog is not None:
        command += ["--catalog", str(sandbox.catalog)]
    if sandbox.balance is not None:
        command += ["--balance", str(sandbox.balance)]
    return tuple(command)


def grpcurl_lines(ports: Ports) -> tuple[str, ...]:
    """Return three calls to try, one a service, through reflection."""
    calls = (
        ("budget", "BudgetService/ListAccounts", ""),
        ("keepa_gateway", "KeepaGatewayService/GetTokenStatus", ""),
        ("autosourcing", "AutoSourcingService/ListJobs", """-d '{"page_size": 5}' """),
    )
    return tuple(
        f"grpcurl -plaintext {data}{target(ports, service)} arbitragevault.{service}.v1.{method}"
        for service, method, data in calls
    )


def avault_lines(ports: Ports) -> tuple[str, ...]:
    """Return what to type for the command line client to find this stack, and a first command."""
    usual = Ports()
    moved = [
        f"{service.upper()}_TARGET={target(ports, service)}"
        for service in SERVICES
        if ports.of(service) != usual.of(service)
    ]
    return (*([f"export {' '.join(moved)}"] if moved else []), ".venv/bin/avault balance")
