"""Becomes another program that dies with the one who asked for it; never imported, only run.

`process.spawn` runs this file with `python -I -S`. It is one thread in one process, so what is
unsafe between fork and exec elsewhere (changing the user, `prctl`) is safe here, and because it
ends in `execve` the process id stays that of the program.
"""

import ctypes  # Imported while we are still root: another user may not reach the library.
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_REACHABLE = 126


def tie_to(parent: int, death_signal: int) -> None:
    """Ask the kernel for ``death_signal`` when the parent dies; leave if it already has."""
    if death_signal and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit(0)


def drop_to(uid: int, gid: int) -> None:
    """Give up root for good. Comes before `tie_to`: a change of user clears the tie."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def main() -> None:
    """Take ``parent death_signal uid gid folder program arguments...`` and become the program."""
    parent, death_signal, uid, gid = map(int, sys.argv[1:5])
    folder, program = sys.argv[5], sys.argv[6:]
    drop_to(uid, gid)
    tie_to(parent, death_signal)
    for caught in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these; programs should not.
        signal.signal(caught, signal.SIG_DFL)
    try:
        os.chdir(folder)
        os.execv(program[0], program)  # noqa: S606  the point of this file
    except OSError as error:
        sys.stderr.write(f"cannot run {program[0]} in {folder}: {error.strerror}\n")
        sys.exit(NOT_REACHABLE)


if __name__ == "__main__":
    main()
