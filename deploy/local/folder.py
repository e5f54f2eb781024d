"""The data folder: one stack at a time, secrets apart from the rest, and what a person may need."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.local import process
from deploy.local.process import CannotStart

FAREWELL_SECONDS = 15.0  # A killed stack's guardian holds the lock until all has ended.
POLL_SECONDS = 0.05


class DataFolder:
    """An opened data folder; nobody else opens it until it is closed and all children are gone.

    Attributes:
        path: The folder itself.
        logs: What the children print.
        temporary: Whether it goes away when closed.
    """

    def __init__(self, path: Path | None) -> None:
        """Open a folder, made when missing.

        Args:
            path: None for one that goes away.

        Raises:
            CannotStart: It is in use, or cannot be written to.
        """
        self.temporary = path is None
        self._lock: int | None = None
        if path is None:
            self.path = process.temporary_folder("data")
        else:
            self.path = path.expanduser().absolute()
            self._make()
            self._lock = _locked(self.path)
            process.guardian.hold(self._lock)
        self.logs = self._subfolder("logs", 0o755)
        self.settings = self._subfolder("env", 0o700)
        self._secrets = self._subfolder("secrets", 0o700)
        process.guardian.tell(f"sweep {self._secrets}")

    def _make(self) -> None:
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
                self.path.chmod(0o711)  # As root, PostgreSQL is another user and passes through.
            probe(self.path)
        except OSError as error:
            raise CannotStart(
                f"The data folder {self.path} cannot be used: {error.strerror}. "
                "Choose another with --data (make up DATA=folder)."
            ) from None

    def _subfolder(self, name: str, mode: int) -> Path:
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
        return folder

    def secret(self, name: str, text: str) -> Path:
        """Keep a secret in a file of its own, for our user's eyes, until the stack stops."""
        path = self._secrets / name
        _write(path, text, 0o600)
        return path

    def service_settings(self, service: str, settings: Mapping[str, str]) -> Path:
        """Write what it takes to start one service by hand; secrets only as names of files."""
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        path = self.settings / f"{service}.env"
        _write(path, "".join(lines), 0o600)
        return path

    def describe(self, stack: Mapping[str, object]) -> None:
        """Write the addresses and process ids of now, for people and their scripts."""
        _write(self.path / "stack.json", json.dumps(stack, indent=2) + "\n", 0o644)

    def close(self, *, keep_logs: bool = False) -> None:
        """Take away what is only true of a running stack, and the lock.

        Args:
            keep_logs: Leave the logs of a temporary folder: a message has just named one.
        """
        shutil.rmtree(self._secrets, ignore_errors=True)
        process.guardian.tell(f"keep {self._secrets}")
        (self.path / "stack.json").unlink(missing_ok=True)
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            os.close(self._lock)
            self._lock = None
        if self.temporary:
            self._remove(keep_logs=keep_logs)

    def _remove(self, *, keep_logs: bool) -> None:
        if not keep_logs:
            process.remove_folder(self.path)
            return
        for entry in self.path.iterdir():
            if entry != self.logs:
                shutil.rmtree(entry, ignore_errors=True)
        process.guardian.tell(f"keep {self.path}")


def probe(folder: Path) -> None:
    """Write to a folder and leave no trace.

    Raises:
        OSError: It cannot be written to.
    """
    trace = folder / ".writable"
    trace.touch()
    trace.unlink()


def _locked(folder: Path) -> int:
    """Lock the folder; what a killed stack left behind is given a moment to end."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    give_up_at = time.monotonic() + FAREWELL_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode().strip()
            if not holder.isdigit() or process.lives(int(holder)) or time.monotonic() > give_up_at:
                os.close(lock)
                raise CannotStart(
                    f"The data folder {folder} is in use by process {holder}. "
                    "Stop that one, or choose another folder with --data (make up DATA=folder)."
                ) from None
            time.sleep(POLL_SECONDS)
            continue
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return lock


def _write(path: Path, text: str, mode: int) -> None:
    """Replace a file whole, so that a reader never sees half of it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    fresh.replace(path)
