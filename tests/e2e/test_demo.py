"""A newcomer's story: one command, from nothing to picks, through all four services.

Everything is real: PostgreSQL, NATS, the Keepa stand-in and the services are processes of their own.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 100.0
START_SECONDS = 40.0
# A lost answer is given up after this long; the default of 30 s only makes the test longer.
IMPATIENT = {"KEEPA_GATEWAY_PLAIN_SECONDS": "5"}

pytestmark = pytest.mark.timeout(LONGEST_SECONDS + START_SECONDS)


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
        env=os.environ | {"COLUMNS": "160", "NO_COLOR": "1"} | IMPATIENT,
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.send_signal(signal.SIGINT)


def described(folder: Path) -> dict[str, object]:
    """Wait until everything is up and read what the runner wrote about it."""
    path = folder / "data" / "stack.json"
    give_up = time.monotonic() + START_SECONDS
    while not path.exists():
        assert time.monotonic() < give_up, "the stack did not come up"
        time.sleep(0.02)
    found: dict[str, object] = json.loads(path.read_text())
    return found


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


@pytest.mark.parametrize(
    ("service", "moment"),
    [
        ("budget", "/query"),
        ("keepa_gateway", "/query"),
        ("keepa_gateway", "/product"),
        ("discovery", "/query"),
        ("autosourcing", "/product"),
    ],
)
def test_a_service_killed_in_the_middle_costs_no_token_twice(
    tmp_path: Path, service: str, moment: str
) -> None:
    """INV-4, INV-12, K4-K17: every service may die while a paid call is under way.

    The stand-in keeps that call waiting, so that the kill falls into its middle.
    """
    with demo(tmp_path) as running:
        stack = described(tmp_path)
        url = str(stack["sandbox_url"])
        slow = {"fault": "delay", "milliseconds": 1_500, "path": moment, "requests": 1}
        httpx.post(f"{url}/_sandbox/faults", json=slow, trust_env=False)
        wait_for_call_under_way(url)
        os.kill(pid_of(stack, service), signal.SIGKILL)
        said, _ = running.communicate(timeout=LONGEST_SECONDS)

    assert running.returncode == 0, said
    assert "COMPLETED" in said
    assert "Every token is accounted for." in said


def wait_for_call_under_way(sandbox_url: str) -> None:
    """Return as soon as the delay has struck the call it was meant for."""
    give_up = time.monotonic() + START_SECONDS
    while httpx.get(f"{sandbox_url}/_sandbox/faults", trust_env=False).json():
        assert time.monotonic() < give_up, "the job never made that call"
        time.sleep(0.02)


def pid_of(stack: dict[str, object], service: str) -> int:
    """Find the process of a service."""
    parts = stack["parts"]
    assert isinstance(parts, list)
    return next(int(part["pid"]) for part in parts if part["name"] == service)
