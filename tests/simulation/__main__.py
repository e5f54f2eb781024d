"""Runs seeds on all cores: ``python -m tests.simulation --seed 1234 -v``."""

# ruff: noqa: T201 - speaks to a person

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.run import Outcome, run
from tests.simulation.sometimes import missed
from tests.simulation.swarm import draw

CHUNK = 25
ENOUGH = 300  # Seeds after which every condition must have come up.


def main() -> int:
    """Run what was asked for; not zero when anything was violated."""
    options = _options()
    if options.verbose:
        return _tell(options.seed)
    return 1 if simulate(options.seed, options.seeds, options.jobs) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell all of one seed")
    return parser.parse_args()


def simulate(first: int, count: int, jobs: int | None = None) -> int:
    """Run seeds on all cores, print what was met, and return the number of violations."""
    began = time.monotonic()
    seen: Counter[str] = Counter()
    found, entries, seconds = 0, 0, 0.0
    for outcome in _outcomes(first, count, jobs):
        seen += outcome.seen
        entries += outcome.entries
        seconds += outcome.seconds
        found += _report(outcome)
    for name in sorted(seen):
        print(f"{seen[name]:>10}  {name}")
    took = time.monotonic() - began
    print(f"{count} seeds, {entries} entries, {seconds / 3600:.1f} h of virtual time, {took:.0f} s")
    return found + (_unmet(seen) if count >= ENOUGH else 0)


def _outcomes(first: int, count: int, jobs: int | None) -> Iterable[Outcome]:
    seeds = range(first, first + count)
    if count < CHUNK or jobs == 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, seeds, chunksize=CHUNK)


def _report(outcome: Outcome) -> int:
    for told in outcome.violations:
        print(f"VIOLATION seed={outcome.seed} {told}")
    if outcome.violations:
        print(f"again: python -m tests.simulation --seed {outcome.seed} -v", flush=True)
    return len(outcome.violations)


def _unmet(seen: Counter[str]) -> int:
    unmet = list(missed(seen))
    for each in unmet:
        print(f"VIOLATION never met: {each}")
    return len(unmet)


def _tell(seed: int) -> int:
    """Tell the mix, every entry, and every line of Keepa's truth, in order."""
    outcome = run(seed, traced=True)
    print(draw(seed))
    for line in outcome.story:
        print(line)
    _report(outcome)
    print(f"trace={outcome.trace}\nviolations={len(outcome.violations)}")
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
