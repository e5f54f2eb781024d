"""The parts of a running stack, all alike from outside: begin, ready, running, stop."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from deploy.local import ports, process
from deploy.local.nats import Nats
from deploy.local.postgres import Postgres
from deploy.local.process import CannotStart, Child

BAD_SETTINGS = 2
LONGEST_QUOTE = 300
CHECKOUT = Path(__file__).parents[2]


class Part(Protocol):
    """One thing that runs, and that is started again when it dies.

    Attributes:
        name: In stack.json, in file names, and to people.
        address: Where it is reached.
        start_seconds: How long it may take to become ready.
    """

    name: str
    address: str
    start_seconds: float

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""

    def begin(self) -> None:
        """Start it without waiting.

        Raises:
            PortTaken: Somebody else listens there.
            CannotStart: Any other reason, in one sentence.
        """

    def ready(self) -> bool:
        """Say whether it answers now; never waits for long."""

    def running(self) -> bool:
        """Say whether what `begin` started still lives."""

    def stop(self) -> None:
        """Stop it in its own time, which is bounded. Safe to call twice."""

    def kill(self) -> None:
        """End it now, if stopping could take long. May interrupt a `stop`."""

    def failure(self) -> CannotStart:
        """Say why it ended before it was ready."""


class Engine:
    """PostgreSQL or NATS; starting one waits until it is ready, a second at the most."""

    start_seconds = 60.0

    def __init__(self, name: str, start: Callable[[int], Postgres | Nats], port: int) -> None:
        self.name = name
        self.address = ""
        self._start = start
        self._port = port
        self._engine: Postgres | Nats | None = None

    @property
    def engine(self) -> Postgres | Nats:
        """The server that runs."""
        assert self._engine is not None
        return self._engine

    @property
    def pid(self) -> int | None:
        """The server's own."""
        return self._engine.pid if self._engine is not None and self.running() else None

    def begin(self) -> None:
        """Start it on the first port for ever: clients know that address."""
        self._engine = self._start(self._port)
        self._port = self._engine.port
        self.address = f"{ports.HOST}:{self._port}"

    def ready(self) -> bool:
        """Say so: it was ready when `begin` returned."""
        return self.running()

    def running(self) -> bool:
        """Say whether the server lives."""
        return self._engine is not None and self._engine.running

    def stop(self) -> None:
        """Shut the server down."""
        if self._engine is not None:
            self._engine.stop()

    def kill(self) -> None:
        """Do nothing: an engine's ordinary stop is quick, and there is nothing to hurry."""

    def failure(self) -> CannotStart:
        """Name the end; the reason is in its log, if there was one."""
        return CannotStart(f"{self.name} has ended.")


class Program:
    """A service or the stand-in: a Python module that serves on one port."""

    start_seconds = 45.0

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        port: int,
        log: Path,
        probe: Callable[[], bool],
        grace_seconds: float,
        advice: str,
    ) -> None:
        self.name = name
        self.address = f"{ports.HOST}:{port}"
        self._command = command
        self._environment = environment
        self._port = port
        self._log = log
        self._probe = probe
        self._grace_seconds = grace_seconds
        self._advice = advice
        self._child: Child | None = None
        self._said_before = 0

    @property
    def pid(self) -> int | None:
        """The program's own."""
        return self._child.pid if self._child is not None and self._child.running else None

    def begin(self) -> None:
        """Start the program in the checkout, whose packages it imports."""
        if ports.is_taken(self._port):
            raise ports.PortTaken(self.name, self._port, self._advice)
        self._said_before = self._log.stat().st_size if self._log.exists() else 0
        self._child = process.spawn(
            self.name, self._command, env=self._environment, log=self._log, cwd=CHECKOUT
        )

    def ready(self) -> bool:
        """Ask it."""
        return self._probe()

    def running(self) -> bool:
        """Say whether the child lives; somebody else's process on the port does not count."""
        return self._child is not None and self._child.running

    def stop(self) -> None:
        """Let it finish paid work, within its own grace."""
        if self._child is not None:
            self._child.stop(self._grace_seconds)

    def kill(self) -> None:
        """End it now; every part survives that."""
        if self._child is not None:
            self._child.kill()

    def failure(self) -> CannotStart:
        """Repeat what it said last: a service names each bad variable on a line of its own."""
        with self._log.open("rb") as log:
            log.seek(self._said_before)
            said = log.read()[-8192:].decode(errors="replace").strip().splitlines()
        code = self._child.exit_code if self._child is not None else None
        if code == BAD_SETTINGS and said:
            return CannotStart(f"{self.name} refuses its settings: {'; '.join(said)}")
        if not said or code is None or code < 0:
            return CannotStart(f"{self.name} {describe_end(code)}.")
        last = in_plain_words(said[-1])[:LONGEST_QUOTE]
        return CannotStart(f"{self.name} {describe_end(code)}: {last} (all of it: {self._log})")


def describe_end(code: int | None) -> str:
    """Say how a process ended, in words."""
    if code is None:
        return "still runs"
    return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"


def in_plain_words(line: str) -> str:
    """Take what happened and why out of a line of a structured log; leave any other line."""
    with suppress(ValueError):
        entry = json.loads(line)
        if isinstance(entry, dict) and "event" in entry:
            why = entry.get("error") or str(entry.get("exception", "")).strip().rpartition("\n")[2]
            return f"{entry['event']}: {why}" if why else str(entry["event"])
    return line
