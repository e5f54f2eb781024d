"""Chaos twice: the ledger simulated on all cores, then the product killed; one verdict.

A real run is load, faults, rest and audit, one for each seed.
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

import grpc.aio
from arbitragevault.discovery.v1 import discovery_pb2 as searches

from tests.chaos.auditor import Auditor
from tests.chaos.load import Clients, Load
from tests.chaos.nemesis import Nemesis
from tests.chaos.stack import Stack, running
from tests.simulation.__main__ import Verdict, simulate

WARM_SECONDS = 60.0


def main() -> int:
    """Run what was asked for; not zero when anything was violated, or too little was met."""
    options = _options()
    simulated = simulate(options.seed, options.seeds) if options.seeds else Verdict()
    found = simulated.violations
    for seed in range(options.seed, options.seed + options.kills):
        found += _kept(seed, options)
    print(f"violations={found} overdue={simulated.overdue}")
    return 1 if found or simulated.overdue else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed of both")
    parser.add_argument("--seeds", type=int, default=0, help="of the simulation, on all cores")
    parser.add_argument("--kills", type=int, default=1, help="runs that kill real processes")
    parser.add_argument("--seconds", type=float, default=120.0, help="of faults in each of these")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a good run too")
    return parser.parse_args()


def _kept(seed: int, options: argparse.Namespace) -> int:
    """Make one run in a folder of its own, which stays when something was found."""
    folder = Path(tempfile.mkdtemp(prefix=f"arbitragevault-chaos-{seed}-"))
    folder.chmod(0o711)
    broken = _one(seed, options.seconds, folder / "data")
    if broken or options.keep:
        print(f"kept: {folder}", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return broken


def _one(seed: int, seconds: float, data: Path) -> int:
    rng = random.Random(seed)
    foreign = seed % 2 == 0  # Somebody else uses the key in every second run.
    rate = rng.choice((8, 12, 20))
    balance = rng.randint(60, 30 * rate)  # Seldom full: there, much is ambiguous.
    print(f"seed={seed} foreign={foreign} rate={rate} balance={balance}", flush=True)
    with running(data, rate=rate, balance=balance) as stack:
        return asyncio.run(_storm(stack, rng, seconds, foreign=foreign))


async def _storm(stack: Stack, rng: random.Random, seconds: float, *, foreign: bool) -> int:
    tending = asyncio.create_task(tend(stack))
    async with Clients(stack) as clients:
        asins = await warm_up(clients)
        load = Load(clients, rng, asins)
        nemesis = Nemesis(stack, rng, foreign=foreign)
        work = asyncio.create_task(load.run())
        faults = asyncio.create_task(nemesis.run())
        await asyncio.wait({work, faults}, timeout=seconds, return_when="FIRST_COMPLETED")
        load.stopping = True
        faults.cancel()
        await asyncio.gather(faults, return_exceptions=True)
        await nemesis.calm()
        await work
        auditor = Auditor(stack, clients, load, foreign)
        await auditor.audit()
    tending.cancel()
    kills = sum(count for what, count in nemesis.counts.items() if what.startswith("kill"))
    print(f"kills={kills} {line(nemesis.counts)}")
    print(f"load: {line(load.counts)}")
    print(f"facts: {line(auditor.facts)}")
    for violation in auditor.violations:
        print(f"VIOLATION {violation}")
    print(f"seed violations: {len(auditor.violations)}", flush=True)
    return len(auditor.violations)


async def tend(stack: Stack) -> None:
    """Keep the second replicas running, for ever."""
    while True:
        stack.tend()
        await asyncio.sleep(0.3)


async def warm_up(clients: Clients) -> list[str]:
    """Wait for all replicas, and learn which products there are."""
    request = searches.DiscoverProductsRequest(
        request_id="00000000-0000-4000-8000-000000000001",
        filter=searches.DiscoveryFilter(category_ids=[283155], max_results=300),
    )
    until = time.monotonic() + WARM_SECONDS
    found = None
    for replica in (0, 1):
        while True:
            try:
                found = await clients.of("discovery", replica).DiscoverProducts(request)
                break
            except grpc.aio.AioRpcError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.5)
    assert found is not None
    return list(found.asins)


def line(counts: dict[str, int]) -> str:
    """Write counts in one line, by name."""
    return " ".join(f"{what.replace(' ', '_')}={counts[what]}" for what in sorted(counts))


if __name__ == "__main__":
    sys.exit(main())
