"""Loopback ports: a free one, whether one is taken, and by whom."""

import os
import secrets
import socket
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from deploy.local.process import CannotStart

HOST = "127.0.0.1"
LOWEST_FREE = 10_000
EPHEMERAL = 32_768  # Linux gives outgoing connections ports from here on, others from higher up.
TRIES = 100
MOST_HELD = 256  # Beyond that the ones chosen first are given to others again.
LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp
_held: deque[int] = deque()  # Descriptors of sockets, which nobody closes but the system.


class PortTaken(CannotStart):
    """Somebody else listens there."""

    def __init__(self, part: str, port: int, advice: str) -> None:
        self.port = port
        holder = holder_of(port)
        by = f" by {holder}" if holder else ""
        super().__init__(f"{part} cannot listen on {HOST}:{port}: the port is taken{by}. {advice}")


def free_port() -> int:
    """Return a port on which nobody listens, and which nobody else is given while we live.

    It lies below those that the system gives to outgoing connections, so that none of them
    takes it before the server it is meant for has started.

    Raises:
        CannotStart: There is none.
    """
    return free_block(1)


def free_block(size: int) -> int:
    """Return the first of so many neighbouring ports, all of them free as `free_port` means it.

    Raises:
        CannotStart: There are none.
    """
    for _ in range(TRIES):
        first = LOWEST_FREE + secrets.randbelow(EPHEMERAL - LOWEST_FREE - size)
        if _hold(range(first, first + size)):
            return first
    raise CannotStart(f"No port from {LOWEST_FREE} to {EPHEMERAL - 1} is free on {HOST}.")


def _hold(wanted: Iterable[int]) -> bool:
    """Bind all of the ports without listening, and keep them so until we end; or none of them.

    Who chooses a port cannot bind a held one, for it binds without SO_REUSEADDR. A server binds
    with it, and on Linux it may then bind and listen, end, and come back. Elsewhere it could not,
    so there a port is only looked at.

    Source: Linux socket(7), SO_REUSEADDR: any bind may share an address but with a listener.
    """
    bound: list[int] = []
    for port in wanted:
        with socket.socket() as holder:
            try:
                holder.bind((HOST, port))
            except OSError:
                _let_go(bound)
                return False
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.append(holder.detach())
    if sys.platform == "linux":
        _held.extend(bound)
        bound = [_held.popleft() for _ in range(len(_held) - MOST_HELD)]
    _let_go(bound)
    return True


def _let_go(bound: Iterable[int]) -> None:
    for descriptor in bound:
        os.close(descriptor)


def is_taken(port: int) -> bool:
    """Say whether somebody listens on the port, as a server's own bind would find out."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def holder_of(port: int) -> str | None:
    """Name the process that listens on the port, such as ``nats-server (pid 71)``, if we may see.

    Source: Linux proc(5), /proc/net/tcp and /proc/[pid]/fd; elsewhere always None.
    """
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(fd.readlink()) in inodes for fd in (process / "fd").iterdir()):
                name = (process / "comm").read_text().strip()
                return f"{name} (pid {process.name}{_of_stack(process)})"
    return None


def _of_stack(process: Path) -> str:
    """Name the other stack that a process is part of; ended alone, it would be started again."""
    with suppress(OSError):
        status = (process / "status").read_text()
        parent = status.partition("\nPPid:\t")[2].partition("\n")[0]
        if b"deploy.local" in Path("/proc", parent, "cmdline").read_bytes().split(b"\0"):
            return f", of the stack that process {parent} keeps up"
    return ""


def _listening_inodes(port: int) -> list[str]:
    found = []
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.append(fields[9])
    return found
