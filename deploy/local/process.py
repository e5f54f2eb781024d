"""Child processes that die with us, by two independent means, and whose output goes to a file."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent
PYTHON = (sys.executable, "-I", "-S")
GUARDIAN_EXIT_SECONDS = 8.0
KILLED_SECONDS = 5.0


class CannotStart(Exception):  # noqa: N818  reads as a sentence where it is raised
    """A part did not come up; the message is one sentence for a person, with what to do."""


@dataclass(frozen=True)
class Account:
    """The user a child runs as, when that is not ours."""

    uid: int
    gid: int


class Guardian:
    """Our end of the pipe to guardian.py; the second means, and the only one off Linux."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._held: tuple[int, ...] = ()

    def hold(self, descriptor: int) -> None:
        """Have the guardian keep a file open, and so locked, until it has ended everything.

        One that runs already does not get the file; its lock then ends together with us.
        """
        self._held = (*self._held, descriptor)

    def tell(self, line: str) -> None:
        """Pass on one fact; starts the guardian with the first one.

        A guardian that somebody killed is not replaced: the kernel's tie still holds.
        """
        with self._lock:
            if self._process is None:
                self._process = self._start()
                atexit.register(self._leave)
            pipe = self._process.stdin
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.write(line + "\n")
                pipe.flush()

    @property
    def pid(self) -> int | None:
        """Its process id, once there was something to guard."""
        return None if self._process is None else self._process.pid

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PYTHON, str(HERE / "guardian.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the supervisor alone.
            pass_fds=self._held,
            text=True,
        )

    def _leave(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GUARDIAN_EXIT_SECONDS)


guardian = Guardian()


class Child:
    """A running program; its ``pid`` is the program's own, never a wrapper's."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], *, stop_signal: signal.Signals
    ) -> None:
        self.name = name
        self.pid = process.pid
        self._process = process
        self._stop_signal = stop_signal

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        code = self._process.poll()
        if code is not None:
            guardian.tell(f"forget {self.pid}")
        return code

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.exit_code is None

    def ask_to_stop(self) -> None:
        """Send the stop signal and return at once."""
        if self.running:
            self._process.send_signal(self._stop_signal)

    def kill(self) -> None:
        """End it now, without asking."""
        if self.running:
            self._process.kill()
            self._process.wait(KILLED_SECONDS)
            guardian.tell(f"forget {self.pid}")

    def stop(self, grace_seconds: float = 10.0) -> None:
        """Ask it to stop, wait at most ``grace_seconds``, then kill it. Safe to call twice."""
        self.ask_to_stop()
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        guardian.tell(f"forget {self.pid}")


def spawn(
    name: str,
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    log: Path,
    cwd: Path = Path("/"),
    account: Account | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    death_signal: signal.Signals = signal.SIGKILL,
) -> Child:
    """Start a program in a session of its own, tied to our life.

    Args:
        name: What people call it.
        command: An absolute path and its arguments. Never a secret: `ps` shows them.
        env: The whole environment; nothing is inherited.
        log: Where its output is appended.
        cwd: Where it runs.
        account: The user it runs as; ours when None.
        stop_signal: Asks it to stop in its own time.
        death_signal: What the kernel sends it when we die.
    """
    # The kernel ties a child to the thread that started it. Another thread may end long before
    # the process does, so there only the guardian watches.
    main = threading.current_thread() is threading.main_thread()
    with log.open("ab") as output:
        process = subprocess.Popen(
            _launch(command, cwd, account, death_signal if main else 0),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    guardian.tell(f"watch {process.pid} {int(death_signal)}")
    return Child(name, process, stop_signal=stop_signal)


def succeeds(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    account: Account | None = None,
    output: IO[bytes] | int = subprocess.DEVNULL,
) -> bool:
    """Run a short program to its end and say whether it exited with zero."""
    launch = _launch(command, cwd, account, signal.SIGKILL)
    ran = subprocess.run(
        launch,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        timeout=120,
        check=False,
    )
    return ran.returncode == 0


def _launch(
    command: Sequence[str | Path], cwd: Path, account: Account | None, death_signal: int
) -> list[str]:
    user = account or Account(-1, -1)
    tie = (os.getpid(), int(death_signal), user.uid, user.gid)
    launcher = str(HERE / "launch.py")
    return [*PYTHON, launcher, *map(str, tie), str(cwd), *map(str, command)]


def temporary_folder(name: str) -> Path:
    """Make a folder that goes away with `remove_folder`, or when we are killed.

    Others may pass through it but not look around; a secret file in it needs a mode of its own.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"arbitragevault-{name}-"))
    folder.chmod(0o711)
    guardian.tell(f"sweep {folder}")
    return folder


def remove_folder(folder: Path) -> None:
    """Remove what `temporary_folder` made."""
    shutil.rmtree(folder, ignore_errors=True)
    guardian.tell(f"keep {folder}")


def last_line(log: Path) -> str:
    """Return the last line a program wrote that says something, or an empty string."""
    with suppress(OSError):
        lines = log.read_text(errors="replace")[-4096:].strip().splitlines()
        return lines[-1] if lines else ""
    return ""


def lives(pid: int) -> bool:
    """Say whether a process runs; one that has ended but was not waited for does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
