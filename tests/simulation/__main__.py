"""Runs seeds on all cores: ``python -m tests.simulation --seed 1234 -v``."""

# ruff: noqa: T201 - speaks to a person

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.simulation.run import Outcome, run
from tests.simulation.sometimes import USUAL, missed, overdue
from tests.simulation.swarm import draw

CHUNK = 25


@dataclass(frozen=True)
class Verdict:
    """What many seeds came to.

    Attributes:
        violations: Promises broken.
        overdue: Conditions that so many seeds should have met, and did not.
    """

    violations: int = 0
    overdue: int = 0

    @property
    def red(self) -> bool:
        """Whether the run has failed: it found something, or has proved too little."""
        return bool(self.violations or self.overdue)


def main() -> int:
    """Run what was asked for; not zero when anything was violated, or too little was met."""
    options = _options()
    if options.verbose:
        return _tell(options.seed)
    verdict = simulate(options.seed, options.seeds, options.jobs)
    print(f"violations={verdict.violations} overdue={verdict.overdue}")
    return 1 if verdict.red else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell all of one seed")
    return parser.parse_args()


def simulate(first: int, count: int, jobs: int | None = None) -> Verdict:
    """Run seeds on all cores, and print what was found, met, and never met."""
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
    return Verdict(found, unmet(seen, count))


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


def unmet(seen: Counter[str], seeds: int) -> int:
    """Print the conditions that never came up, and return how many of them are overdue."""
    late, never = overdue(seen, seeds), missed(seen)
    if seeds < USUAL:
        print(
            f"not met: {len(never)} conditions (none is expected within fewer than {USUAL} seeds)"
        )
        return 0
    for condition, expected in never.items():
        word = "OVERDUE" if condition in late else "not met"
        print(f"{word}: {condition} (expected within {expected} seeds, these were {seeds})")
    return len(late)


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
