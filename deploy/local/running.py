"""One stack from its first check to its last process: what `up` and `demo` share."""

import os
import sys
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import cluster, health, nats, ports, process, stack
from deploy.local.credentials import service_database_urls
from deploy.local.folder import DataFolder
from deploy.local.narrator import Narrator
from deploy.local.parts import CHECKOUT, Engine, Program
from deploy.local.postgres import Postgres
from deploy.local.process import CannotStart
from deploy.local.settings import STAND_IN_KEY, Choices
from deploy.local.supervisor import Supervisor

MIGRATION_SECONDS = 120.0
SERVICE_GRACE_SECONDS = 45.0  # A little more than a service gives its own paid calls.
SANDBOX_GRACE_SECONDS = 3.0
POLL_SECONDS = 0.05
ADVICE = "Stop it, or move the whole stack with --port-base (make up PORT_BASE=21000)."


class Running:
    """A stack; a context manager that leaves nothing running, however its block ends.

    Attributes:
        ports: Where each part listens; complete once `start` has returned.
        data: The folder that keeps everything.
        stopping: Whether `stop` has begun; from then on nothing may interrupt it.
    """

    def __init__(self, choices: Choices, narrator: Narrator) -> None:
        """Open the data folder; nothing is started yet.

        Raises:
            CannotStart: The folder is in use or cannot be written to.
        """
        self._choices = choices
        self._narrator = narrator
        self._folder = DataFolder(choices.data)
        self._supervisor = Supervisor(narrator)
        self.ports = _settled(choices.ports)
        self.data = self._folder.path
        self.stopping = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop(keep_logs=isinstance(error, CannotStart) and str(self._folder.logs) in str(error))

    @property
    def sandbox_url(self) -> str | None:
        """Where the stand-in listens, if it stands in."""
        if not self._choices.keepa.is_sandbox:
            return None
        return f"http://{ports.HOST}:{self.ports.sandbox}"

    def start(self) -> None:
        """Start everything and return when all of it is healthy.

        Raises:
            CannotStart: Something did not come up; `stop` ends what did.
        """
        self._narrator.opening(self.data, temporary=self._folder.temporary)
        self._refuse_taken_ports()
        database_url = self._database()
        nats_url, monitor_url = self._broker()
        keepa_url = self._keepa()
        self._migrate(database_url)
        urls = service_database_urls(database_url, self._folder, self._choices.environment)
        addresses = stack.Addresses(
            ports=self.ports,
            database_urls=urls,
            nats_url=nats_url,
            nats_monitor_url=monitor_url,
            keepa_url=keepa_url,
            key_file=self._key_file(),
            tick_seconds=self._choices.keepa.tick_seconds,
        )
        self._supervisor.bring_up([self._service(name, addresses) for name in stack.SERVICES])
        self._describe()

    def tend(self) -> None:
        """Look after every part once; to be called a few times a second."""
        if self._supervisor.tend():
            self._describe()

    def stop(self, *, keep_logs: bool = False) -> None:
        """Stop all parts and let go of the folder."""
        self.stopping = True
        self._supervisor.stop()
        self._folder.close(keep_logs=keep_logs)

    def kill(self) -> None:
        """End all parts now, without asking."""
        self._supervisor.kill()

    def _refuse_taken_ports(self) -> None:
        """Look at the ports before anything starts, so that a refusal takes no time."""
        choices = self._choices
        embedded = [
            ("postgres", cluster.ADVICE, choices.database_url is None),
            ("nats", nats.ADVICE, choices.nats_url is None),
            ("sandbox", ADVICE, choices.keepa.is_sandbox),
            *((service, ADVICE, True) for service in stack.SERVICES),
        ]
        for name, advice, is_ours in embedded:
            port = self.ports.of(name)
            if is_ours and port and ports.is_taken(port):
                raise ports.PortTaken(stack.TITLES.get(name, name), port, advice)

    def _database(self) -> str:
        """Return the migrator's address."""
        if self._choices.database_url:
            health.check_database(self._choices.database_url)
            self._narrator.given("PostgreSQL", "DATABASE_URL")
            return self._choices.database_url
        log = self._folder.logs / "postgres.log"
        folder = self.data / "postgres"
        engine = Engine(
            "PostgreSQL", lambda port: Postgres.start(folder, port, log=log), self.ports.postgres
        )
        self._supervisor.bring_up([engine])
        return engine.engine.url

    def _broker(self) -> tuple[str, str | None]:
        """Return the broker's address, and its monitor's when the broker is ours."""
        if self._choices.nats_url:
            health.check_broker(self._choices.nats_url)
            self._narrator.given("NATS", "NATS_URL")
            return self._choices.nats_url, None
        log, folder, monitor_port = (
            self._folder.logs / "nats.log",
            self.data / "nats",
            ports.free_port(),
        )

        def start(port: int) -> nats.Nats:
            return nats.Nats.start(folder, port, monitor_port=monitor_port, log=log)

        engine = Engine("NATS", start, self.ports.nats)
        self._supervisor.bring_up([engine])
        return engine.engine.url, f"http://{ports.HOST}:{monitor_port}"

    def _keepa(self) -> str | None:
        """Return where Keepa is; None leaves the gateway its default, which is the real one."""
        keepa = self._choices.keepa
        url = self.sandbox_url
        if url is None:
            self._narrator.given("Keepa", "KEEPA_BASE_URL" if keepa.base_url else "api.keepa.com")
            return keepa.base_url
        command = stack.sandbox_command(
            self._choices.sandbox, self.ports.sandbox, keepa.tick_seconds
        )
        program = Program(
            "sandbox",
            command,
            environment=stack.ambient(self._choices.environment),
            port=self.ports.sandbox,
            log=self._folder.logs / "sandbox.log",
            probe=partial(health.answers, f"{url}/_sandbox/health"),
            grace_seconds=SANDBOX_GRACE_SECONDS,
            advice=ADVICE,
        )
        self._supervisor.bring_up([program])
        return url

    def _key_file(self) -> Path:
        keepa = self._choices.keepa
        return keepa.key_file or self._folder.secret("keepa_api_key", keepa.key or STAND_IN_KEY)

    def _migrate(self, database_url: str) -> None:
        """Bring each service's schema up to date, in a process that alone knows the migrator.

        Raises:
            CannotStart: It did not work, or not in time.
        """
        began = time.monotonic()
        log = self._folder.logs / "migrate.log"
        command = (sys.executable, "-m", "services.chassis.migrate", *stack.SERVICES)
        environment = stack.ambient(self._choices.environment) | {"DATABASE_URL": database_url}
        child = process.spawn("migrations", command, env=environment, log=log, cwd=CHECKOUT)
        try:
            while child.running:
                if time.monotonic() - began > MIGRATION_SECONDS:
                    raise CannotStart(f"The migrations took over {MIGRATION_SECONDS:.0f} s: {log}.")
                time.sleep(POLL_SECONDS)
        finally:
            child.kill()
        if child.exit_code != 0:
            raise CannotStart(f"The migrations failed: {process.last_line(log)} (all of it: {log})")
        self._narrator.done("migrations", "schemas up to date", time.monotonic() - began)

    def _service(self, name: str, addresses: stack.Addresses) -> Program:
        environment = stack.service_environment(name, addresses, self._choices.environment)
        self._folder.service_settings(name, stack.service_settings(name, addresses))
        return Program(
            name,
            stack.service_command(name),
            environment=environment,
            port=self.ports.of(name),
            log=self._folder.logs / f"{name}.log",
            probe=partial(health.serves, self.ports.of(name)),
            grace_seconds=SERVICE_GRACE_SECONDS,
            advice=ADVICE,
        )

    def _describe(self) -> None:
        self._folder.describe(
            {
                "pid": os.getpid(),
                "described_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "parts": self._supervisor.describe(),
                "sandbox_url": self.sandbox_url,
                "start_by_hand": {
                    name: stack.by_hand_line(name, self._folder.settings / f"{name}.env")
                    for name in stack.SERVICES
                },
            }
        )


def _settled(wanted: stack.Ports) -> stack.Ports:
    """Choose a free port for each part that has none."""
    settled = wanted
    for name in ("sandbox", *stack.SERVICES):
        if settled.of(name) == 0:
            settled = settled.moved(name, ports.free_port())
    return settled
