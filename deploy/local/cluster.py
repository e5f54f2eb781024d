"""The files of one embedded PostgreSQL: made whole, started, and recovered after a kill."""

import secrets
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from deploy.local import ports, process
from deploy.local.postgres_user import ENVIRONMENT, Runner
from deploy.local.process import CannotStart, Child

START_SECONDS = 60.0  # Crash recovery of a large log is the slow case.
POLL_SECONDS = 0.01
PORT_TRIES = 5
ADVICE = (
    "Stop it, move the whole stack (make up PORT_BASE=21000) or PostgreSQL alone (--postgres-port), "
    "or set DATABASE_URL to use it."
)
SETTINGS = {
    "listen_addresses": ports.HOST,
    "unix_socket_directories": "",  # TCP only: a socket's path is limited to 107 bytes.
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
FORGETFUL = {"fsync": "off", "full_page_writes": "off"}  # A killed server still loses nothing.


class Cluster:
    """The files of one server, and the user that may run it."""

    def __init__(self, folder: Path, log: Path, *, durable: bool) -> None:
        self.folder = folder.absolute()
        self.log = log.absolute()
        self._durable = durable
        self._files = self.folder / "cluster"
        self._make_folder()
        self._runner = Runner.choose(self.folder)
        self.password = self._password()
        if not self._files.exists():
            self._initialise()
        self._runner.own(self._files)

    def _make_folder(self) -> None:
        """Let others pass through what we made ourselves: as root the server is another user."""
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            self.folder.chmod(0o711)

    def start(self, port: int) -> tuple[Child, int]:
        """Start the postmaster, on another port when a chosen free one was snatched away."""
        self._clear_stale_lock()
        give_up_at = time.monotonic() + START_SECONDS
        for _ in range(PORT_TRIES):
            chosen = port or ports.free_port()
            if port and ports.is_taken(port):
                raise ports.PortTaken("PostgreSQL", port, ADVICE)
            child = self._await_ready(chosen, give_up_at)
            if child is not None:
                return child, chosen
        raise CannotStart(f"PostgreSQL found no free port in {PORT_TRIES} tries; see {self.log}.")

    def _await_ready(self, port: int, give_up_at: float) -> Child | None:
        """Return a server that accepts connections, or None when its port was snatched away."""
        while time.monotonic() < give_up_at:
            said_before = self.log.stat().st_size if self.log.exists() else 0
            child = self._spawn(port)
            try:
                if self._became_ready(child, give_up_at):
                    return child
            except BaseException:
                child.stop()
                raise
            said = self.log.read_text(errors="replace")[said_before:]
            if "could not bind" in said:
                return None
            if "shared memory block" not in said:
                raise CannotStart(f"PostgreSQL ended at once: {process.last_line(self.log)}")
            time.sleep(20 * POLL_SECONDS)  # Sessions of a killed postmaster are still ending.
        raise CannotStart(f"PostgreSQL was not ready after {START_SECONDS:.0f} s; see {self.log}.")

    def _became_ready(self, child: Child, give_up_at: float) -> bool:
        """Wait for the server to accept connections, or to end."""
        while child.running:
            if self._is_ready(child.pid):
                return True
            if time.monotonic() > give_up_at:
                child.stop()
            time.sleep(POLL_SECONDS)
        return False

    def _spawn(self, port: int) -> Child:
        settings = SETTINGS if self._durable else SETTINGS | FORGETFUL
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return process.spawn(
            "PostgreSQL",
            self._runner.command("postgres", "-D", str(self._files), "-p", str(port), *options),
            env=ENVIRONMENT,
            log=self.log,
            account=self._runner.account,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
        )

    def _is_ready(self, pid: int) -> bool:
        """Read what pg_ctl reads: the eighth line of the lock file of *this* postmaster."""
        with suppress(OSError):
            lines = (self._files / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    def _password(self) -> str:
        file = self.folder / "password"
        if not file.exists():
            file.touch(0o600)
            file.write_text(secrets.token_urlsafe(24))
        return file.read_text()

    def _initialise(self) -> None:
        """Make the files beside their place and move them there whole: a kill leaves no half."""
        fresh, secret = self.folder / "cluster.new", self.folder / "password.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(0o700)
        secret.unlink(missing_ok=True)
        secret.touch(0o600)
        secret.write_text(self.password)
        self._runner.own(fresh)
        self._runner.own(secret)
        options = ["--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8"]
        options += ["--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"]
        options += [] if self._durable else ["--no-sync"]
        command = self._runner.command("initdb", "-D", str(fresh), "-U", "postgres", *options)
        with self.log.open("ab") as output:
            made = process.succeeds(
                command,
                env=ENVIRONMENT,
                cwd=self.folder,
                account=self._runner.account,
                output=output,
            )
        secret.unlink()
        if not made:
            raise CannotStart(f"PostgreSQL's data folder cannot be made: see {self.log}.")
        fresh.rename(self._files)

    def _clear_stale_lock(self) -> None:
        """Remove a lock file whose process id now belongs to somebody else.

        PostgreSQL removes most stale ones itself, but not one whose id was reused under its
        own user. A postmaster that was just told to stop is given time to do so.
        """
        lock = self._files / "postmaster.pid"
        give_up_at = time.monotonic() + 10.0
        while lock.exists():
            with suppress(OSError, ValueError):
                pid = int(lock.read_text().splitlines()[0])
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                if name == "postgres" and process.lives(pid):
                    if time.monotonic() < give_up_at:
                        time.sleep(5 * POLL_SECONDS)
                        continue
                    raise CannotStart(f"PostgreSQL (pid {pid}) already runs in {self.folder}.")
            if not Path("/proc/self").exists():
                return
            lock.unlink(missing_ok=True)
