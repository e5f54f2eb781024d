"""The product as `make up` starts it, with a second replica of every service beside it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import ports, process
from deploy.local.process import Child
from deploy.local.stack import PEERS, SERVICES
from tests.support import free_base

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
STOP_SECONDS = 60.0
TICK_SECONDS = 1.0
# Scaled so that minutes of a real account pass in seconds.
SCALED = {
    "KEEPA_TICK_SECONDS": str(TICK_SECONDS),
    "KEEPA_GATEWAY_THROTTLE_PER_MINUTE": "6000",
    "KEEPA_GATEWAY_THROTTLE_BURST": "200",
    "KEEPA_GATEWAY_PLAIN_SECONDS": "4",
    "KEEPA_GATEWAY_LIST_SECONDS": "4",
    "KEEPA_GATEWAY_OFFERS_SECONDS": "8",
    "KEEPA_GATEWAY_STATUS_SECONDS": "3",
    "AUTOSOURCING_TIMEOUT_PER_JOB_SECONDS": "40",
    "DISCOVERY_STEP_LEASE_SECONDS": "4",
}


@dataclass
class Replica:
    """A second process of one service, started again when it dies."""

    service: str
    port: int
    environment: Mapping[str, str]
    log: Path
    child: Child | None = None
    starts: int = 0

    def tend(self) -> None:
        """Start it unless it runs."""
        if self.child is not None and self.child.running:
            return
        command = (sys.executable, "-m", f"services.{self.service}")
        self.child = process.spawn(
            f"{self.service}-b", command, env=self.environment, log=self.log, cwd=ROOT
        )
        self.starts += 1


@dataclass
class Stack:
    """A running product.

    Attributes:
        base: The number all ports of the first replicas lie above.
    """

    data: Path
    base: int
    runner: subprocess.Popen[bytes]
    replicas: dict[str, Replica] = field(default_factory=dict)

    def port(self, part: str) -> int:
        """Return the port of a first replica or an engine."""
        order = [*SERVICES, "PostgreSQL", "NATS", "sandbox"]
        return self.base + 1 + order.index(part)

    def targets(self, service: str) -> tuple[str, str]:
        """Return where both replicas of a service listen; the same twice when there is one."""
        second = self.replicas[service].port if service in self.replicas else self.port(service)
        return (f"{ports.HOST}:{self.port(service)}", f"{ports.HOST}:{second}")

    @property
    def sandbox_url(self) -> str:
        """Where the stand-in listens."""
        return f"http://{ports.HOST}:{self.port('sandbox')}"

    @property
    def nats_url(self) -> str:
        """Where the broker listens."""
        return f"nats://{ports.HOST}:{self.port('NATS')}"

    @property
    def database_url(self) -> str:
        """The superuser's, for asyncpg."""
        password = (self.data / "postgres" / "password").read_text().strip()
        return f"postgresql://postgres:{password}@{ports.HOST}:{self.port('PostgreSQL')}/postgres"

    def described(self) -> dict[str, Any]:
        """Read what the runner wrote last."""
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads((self.data / "stack.json").read_text())
            return found
        return {}

    def pids(self, part: str) -> list[int]:
        """Return the processes of one part, as far as they are known to run."""
        parts = self.described().get("parts", [])
        found = [each["pid"] for each in parts if each["name"] == part and each["pid"]]
        replica = self.replicas.get(part)
        if replica is not None and replica.child is not None and replica.child.running:
            found.append(replica.child.pid)
        return [pid for pid in found if process.lives(pid)]

    def tend(self) -> None:
        """Keep the second replicas running; the runner keeps the first ones."""
        for replica in self.replicas.values():
            replica.tend()

    def logs(self) -> Sequence[Path]:
        """Return the logs of all services."""
        return sorted((self.data / "logs").glob("*.log"))


@contextmanager
def running(
    data: Path, *, rate: int, balance: int, alone: bool = False, **settings: str
) -> Iterator[Stack]:
    """Run the product in a block; nothing of it is left afterwards.

    Args:
        data: Where everything is kept.
        rate: Tokens that the account gains with each tick.
        balance: Tokens it starts with.
        alone: Whether the second replicas are left out, for what has to be quick.
        settings: Of any service, by the names of their variables.
    """
    scaled: dict[str, str] = SCALED | settings
    base = free_base()
    command = [sys.executable, "-m", "deploy.local", "up", "--data", str(data)]
    command += ["--port-base", str(base), "--rate", str(rate), "--balance", str(balance)]
    data.mkdir(parents=True, exist_ok=True)
    with (data / "runner.log").open("ab") as log:
        runner = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, env=os.environ | scaled
        )
    stack = Stack(data, base, runner)
    try:
        _await_described(stack)
        if not alone:
            _add_replicas(stack, scaled)
        stack.tend()
        yield stack
    finally:
        for replica in stack.replicas.values():
            if replica.child is not None:
                replica.child.kill()
        runner.send_signal(signal.SIGINT)
        try:
            runner.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            runner.kill()


def _await_described(stack: Stack) -> None:
    give_up = time.monotonic() + START_SECONDS
    while "parts" not in stack.described():
        if stack.runner.poll() is not None or time.monotonic() > give_up:
            raise SystemExit(f"The product did not come up: {stack.data / 'runner.log'}")
        time.sleep(0.1)


def _add_replicas(stack: Stack, scaled: dict[str, str]) -> None:
    own = {name: ports.free_port() for name in SERVICES}
    for name in SERVICES:
        environment = {k: v for k, v in os.environ.items() if not re.match("COV|PYTEST", k)}
        environment |= scaled | {
            "ARBITRAGEVAULT_ENV_FILE": str(stack.data / "env" / f"{name}.env"),
            f"{name.upper()}_PORT": str(own[name]),
        }
        for peer in PEERS[name]:
            environment[f"{peer.upper()}_TARGET"] = f"{ports.HOST}:{own[peer]}"
        log = stack.data / "logs" / f"{name}-b.log"
        stack.replicas[name] = Replica(name, own[name], environment, log)
