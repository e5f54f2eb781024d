"""Jobs by the hundred on two replicas of everything, while processes die; then the audit.

First a process dies at every named moment of reliability.md section 4, then at random; the last
fifth of the jobs runs undisturbed, so that what grows is seen.
"""

# ruff: noqa: T201 - speaks to a person

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import asyncpg

from tests.chaos import points
from tests.chaos.__main__ import line, tend, warm_up
from tests.chaos.auditor import Auditor
from tests.chaos.load import Clients
from tests.chaos.nemesis import Nemesis
from tests.chaos.points import Killer
from tests.chaos.stack import Stack, running
from tests.soak import figures, growth
from tests.soak.load import Jobs

PAUSE_SECONDS = (2.0, 10.0)
CALM_SHARE = 0.2
SETTLED_SHARE = 0.4
RATE, BALANCE = 20, 1_200


def main() -> int:
    """Run it; not zero when anything was violated."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="arbitragevault-soak-"))
    folder.chmod(0o711)
    print(f"seed={options.seed} jobs={options.jobs}", flush=True)
    with running(folder / "data", rate=RATE, balance=BALANCE) as stack:
        found = asyncio.run(_soak(stack, random.Random(options.seed), options))
    if found or options.keep:
        print(f"kept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"violations={found}", flush=True)
    return 1 if found else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="beside those of the kill table")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is by chance")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a good run too")
    return parser.parse_args()


async def _soak(stack: Stack, rng: random.Random, options: argparse.Namespace) -> int:
    tending = asyncio.create_task(tend(stack))
    async with Clients(stack) as clients:
        load = Jobs(clients, rng, await warm_up(clients))
        nemesis = Nemesis(stack, rng, foreign=False, pause_seconds=PAUSE_SECONDS)
        await _table(stack, load)
        calm = round(options.jobs * CALM_SHARE)
        await _storm(load, nemesis, options.jobs - calm)
        leaks = await _calm(stack, load, calm)
        auditor = Auditor(stack, clients, load, False)
        await auditor.audit()
        database = await asyncpg.connect(stack.database_url)
        try:
            auditor.violations += leaks + await figures.broken(database)
            told = await figures.lines(database)
        finally:
            await database.close()
    tending.cancel()
    kills = sum(count for what, count in nemesis.counts.items() if what.startswith("kill"))
    kills += len(points.ALL)
    for each in (*told, f"kills={kills} {line(nemesis.counts)}", f"load: {line(load.counts)}"):
        print(each)
    print(f"facts: {line(auditor.facts)}")
    for violation in auditor.violations:
        print(f"VIOLATION {violation}")
    return len(auditor.violations)


async def _table(stack: Stack, load: Jobs) -> None:
    """Die at each named moment, one after the other."""
    killer = Killer(stack)
    for point in points.ALL.values():
        begun = time.monotonic()
        await load.die_at(killer, point)
        print(f"  {point.service}: {point.name} ({time.monotonic() - begun:.0f} s)", flush=True)


async def _storm(load: Jobs, nemesis: Nemesis, count: int) -> None:
    begun = time.monotonic()
    faults = asyncio.create_task(nemesis.run())
    await load.make(count)
    faults.cancel()
    await asyncio.gather(faults, return_exceptions=True)
    await nemesis.calm()
    print(f"storm: {count} jobs in {time.monotonic() - begun:.0f} s", flush=True)


async def _calm(stack: Stack, load: Jobs, count: int) -> list[str]:
    """Let everything settle, then see what grows."""
    begun, settling = time.monotonic(), round(count * SETTLED_SHARE)
    await load.make(settling)
    before = growth.held(stack)
    await load.make(count - settling)
    told, violations = growth.grown(before, growth.held(stack))
    print(f"calm: {count} jobs in {time.monotonic() - begun:.0f} s")
    for each in told:
        print(f"  {each}", flush=True)
    return violations


if __name__ == "__main__":
    sys.exit(main())
