"""What the processes hold while they work: memory and open files, at two moments."""

from contextlib import suppress
from dataclasses import dataclass

import psutil

from deploy.local.stack import SERVICES
from tests.chaos.stack import Stack

ALLOWED = 1.10
SPARE_BYTES = 8 * 2**20
SPARE_FILES = 8


@dataclass(frozen=True)
class Held:
    """What one process holds."""

    bytes: int
    files: int


def held(stack: Stack) -> dict[tuple[str, int], Held]:
    """Read every replica of every service, by service and process."""
    found = {}
    for service in SERVICES:
        for pid in stack.pids(service):
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                found[service, pid] = Held(process.memory_info().rss, process.num_fds())
    return found


def grown(
    before: dict[tuple[str, int], Held], after: dict[tuple[str, int], Held]
) -> tuple[list[str], list[str]]:
    """Compare the processes that lived all the while.

    Returns:
        A line about each, and L10: a sentence about each that holds over 10 % more.
    """
    told, violations = [], []
    for (service, pid), first in before.items():
        last = after.get((service, pid))
        if last is None:
            continue
        mib, now = first.bytes / 2**20, last.bytes / 2**20
        line = f"{service} {pid}: {mib:.1f} -> {now:.1f} MiB, {first.files} -> {last.files} files"
        told.append(line)
        if last.bytes > first.bytes * ALLOWED + SPARE_BYTES:
            violations.append(f"L10: memory of {line}")
        if last.files > first.files * ALLOWED + SPARE_FILES:
            violations.append(f"L10: files of {line}")
    return told, violations
