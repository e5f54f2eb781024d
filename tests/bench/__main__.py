"""Runs the parts of the bench, prints a table and writes one file; `make bench` calls it.

python -m tests.bench [part ...] [--rounds 5] [--seconds 2] [--out out/bench.json]
"""

import argparse
import importlib
import importlib.util
from pathlib import Path
from types import SimpleNamespace

from services.chassis import telemetry
from tests.bench import harness
from tests.bench.harness import Figure

PARTS = ("reserve", "grants", "restart", "chassis", "gateway", "discovery", "autosourcing")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=Path("out/bench.json"))
    options = parser.parse_args()
    present = [part for part in PARTS if importlib.util.find_spec(f"tests.bench.{part}")]
    unknown = sorted(set(options.parts) - set(present))
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(present)}")
    telemetry.configure_logging(SimpleNamespace(log_level="WARNING", log_format="console"))
    figures: list[Figure] = []
    for part in options.parts or present:
        module = importlib.import_module(f"tests.bench.{part}")
        measured = harness.run(module.measure(options.rounds, options.seconds))
        harness.show(measured)
        figures += measured
    harness.write(figures, options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
