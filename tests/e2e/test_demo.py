"""A newcomer's story: one command, from nothing to picks, through all four services.

Everything is real: PostgreSQL, NATS, the Keepa stand-in and the services are processes of their own.
"""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 100.0

pytestmark = pytest.mark.timeout(2 * LONGEST_SECONDS)


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo as `make demo` does; whatever happens, it is over afterwards."""
    command = [sys.executable, "-m", "deploy.local", "demo"]
    places = ["--data", str(folder / "data"), "--out", str(folder / "out")]
    with subprocess.Popen(
        [*command, *places, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"COLUMNS": "160", "NO_COLOR": "1"},
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGINT)


def test_one_command_finds_picks_and_accounts_for_every_token(tmp_path: Path) -> None:
    """A5, A7, T7: the main job runs from a fresh checkout, and its ledger balances."""
    with demo(tmp_path) as running:
        said, _ = running.communicate(timeout=LONGEST_SECONDS)

    assert running.returncode == 0, said
    assert "COMPLETED" in said
    assert "Every token is accounted for." in said
    with (tmp_path / "out" / "picks.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert all(row["reason"] for row in rows)
