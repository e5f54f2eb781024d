"""Ends what a killed supervisor left behind; never imported, only run with a pipe as its input.

The supervisor writes one line per fact: ``watch PID SIGNAL``, ``forget PID``, ``sweep FOLDER``,
``keep FOLDER``. When the pipe closes, however that came about, the supervisor is gone: whatever
is still watched gets its signal, then SIGKILL, and the temporary folders are removed.
On Linux the kernel has usually done the first half already (see launch.py); elsewhere this is it.
"""

import os
import select
import shutil
import signal
import sys
import time
from contextlib import suppress

GRACE_SECONDS = 5.0
POLL_SECONDS = 0.02


class Watched:
    """A process named by a descriptor where there are such, so that a reused id is never hit."""

    def __init__(self, pid: int, farewell: int) -> None:
        self.farewell = farewell
        self._pid = pid
        self._handle: int | None = None
        if sys.platform == "linux":
            with suppress(OSError):
                self._handle = os.pidfd_open(pid)

    def send(self, number: int) -> None:
        """Signal the process; nothing happens when it has ended."""
        with suppress(ProcessLookupError, PermissionError):
            if sys.platform == "linux" and self._handle is not None:
                signal.pidfd_send_signal(self._handle, number)
            else:
                os.kill(self._pid, number)

    def lives(self) -> bool:
        """Say whether it runs; one that has ended but was not waited for does not."""
        if self._handle is not None:
            return not select.select([self._handle], [], [], 0)[0]
        try:
            os.kill(self._pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def close(self) -> None:
        """Let go of the descriptor."""
        if self._handle is not None:
            os.close(self._handle)


def read_until_orphaned() -> tuple[dict[str, Watched], set[str]]:
    """Follow the supervisor's lines; what is left when they end is what it left behind."""
    watched: dict[str, Watched] = {}
    folders: set[str] = set()
    for line in sys.stdin:
        verb, _, rest = line.rstrip("\n").partition(" ")
        if verb == "watch":
            pid, farewell = rest.split(" ")
            watched[pid] = Watched(int(pid), int(farewell))
        elif verb == "forget" and rest in watched:
            watched.pop(rest).close()
        elif verb == "sweep":
            folders.add(rest)
        elif verb == "keep":
            folders.discard(rest)
    return watched, folders


def end(watched: list[Watched]) -> None:
    """Ask each to stop, wait a bounded time, then insist."""
    for process in watched:
        process.send(process.farewell)
    give_up_at = time.monotonic() + GRACE_SECONDS
    left = [process for process in watched if process.lives()]
    while left and time.monotonic() < give_up_at:
        time.sleep(POLL_SECONDS)
        left = [process for process in left if process.lives()]
    for process in left:
        process.send(signal.SIGKILL)


def main() -> None:
    """Wait for the end of the supervisor, then tidy up after it."""
    watched, folders = read_until_orphaned()
    end(list(watched.values()))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
