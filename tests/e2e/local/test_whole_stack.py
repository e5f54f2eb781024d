"""The whole stack as a person runs it: up, wounded, killed, up again, stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local import health, ports
from tests.support import free_base

CHECKOUT = Path(__file__).parents[3]
KEY = "a-key-that-must-not-be-found-anywhere-0123456789"
PARTS = ["PostgreSQL", "NATS", "budget", "keepa_gateway", "discovery", "autosourcing"]
START_SECONDS = 150.0  # Ten times what it takes on a machine that does nothing else.
pytestmark = pytest.mark.timeout(400)


def becomes_true(claim: Callable[[], bool], seconds: float = 60.0) -> bool:
    give_up_at = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.05)
    return True


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


class Up:
    """A running `up`, and what it wrote about itself."""

    def __init__(self, data: Path, base: int, environment: Mapping[str, str]) -> None:
        self.data = data
        plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.output = data.parent / f"{base}.txt"
        command = [sys.executable, "-m", "deploy.local", "up"]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*command, "--data", str(data), "--port-base", str(base)],
                cwd=CHECKOUT,
                env={**plain, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        """Return everything it printed so far."""
        return self.output.read_text()

    def is_up(self) -> bool:
        """Say whether it has finished starting."""
        assert self.process.poll() is None, self.said()
        return "Everything is up" in self.said()

    def described(self) -> dict[str, Any]:
        """Return what stack.json holds now."""
        described: dict[str, Any] = json.loads((self.data / "stack.json").read_text())
        return described

    def pids(self) -> dict[str, int]:
        """Return the process id of each part, by name."""
        return {part["name"]: part["pid"] for part in self.described()["parts"]}

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """A Keepa that accepts one key only."""
    port = ports.free_port()
    command = [sys.executable, "-m", "deploy.sandbox", "--port", str(port), "--key", KEY]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL) as server:
        url = f"http://{ports.HOST}:{port}"
        try:
            assert becomes_true(lambda: health.answers(f"{url}/_sandbox/health"))
            yield url
        finally:
            server.kill()


@pytest.fixture(scope="module")
def base() -> int:
    return free_base()


@pytest.fixture(scope="module")
def kept() -> Iterator[list[Up]]:
    """The stacks of this module so far; the last one may run."""
    stacks: list[Up] = []
    yield stacks
    for stack in stacks:
        if stack.process.poll() is None:
            stack.stop(signal.SIGTERM)


@pytest.fixture
def up(kept: list[Up], tmp_path_factory: pytest.TempPathFactory, base: int, sandbox: str) -> Up:
    """A stack with a key in its environment; started again after a test that ended it."""
    if not kept or kept[-1].process.poll() is not None:
        data = kept[-1].data if kept else tmp_path_factory.mktemp("whole") / "data"
        kept.append(Up(data, base, {"KEEPA_BASE_URL": sandbox, "KEEPA_API_KEY": KEY}))
    assert becomes_true(kept[-1].is_up, START_SECONDS), kept[-1].said()
    return kept[-1]


def test_it_says_where_everything_is(up: Up, base: int) -> None:
    """Whoever starts it wants to call it next."""
    said = up.said()

    assert list(up.pids()) == PARTS
    assert said.count("grpcurl -plaintext ") == 3
    for at in range(1, 7):
        assert f"127.0.0.1:{base + at} " in said
    assert all(psutil.pid_exists(pid) for pid in up.pids().values())


def test_the_key_is_in_no_environment_no_command_line_and_no_log(up: Up) -> None:
    """Only the supervisor was given it; the gateway reads it from a file of mode 0600."""
    for name, pid in up.pids().items():
        process = psutil.Process(pid)
        assert KEY not in "".join(process.environ().values()), name
        assert KEY not in "".join(process.cmdline()), name
        assert ("KEEPA_API_KEY_FILE" in process.environ()) == (name == "keepa_gateway")
        assert "DATABASE_URL" not in process.environ(), name
    readable = [*up.data.glob("logs/*"), *up.data.glob("env/*"), up.data / "stack.json"]
    assert len(readable) > 10
    assert not any(KEY in file.read_text() for file in readable)
    assert KEY not in up.said()


def test_a_second_stack_in_the_same_folder_is_refused(up: Up) -> None:
    second = Up(up.data, free_base(), {})

    assert second.process.wait(START_SECONDS) == 1
    assert f"in use by process {up.process.pid}" in second.said()


def test_a_killed_service_is_back_at_its_port(up: Up, base: int) -> None:
    before = up.pids()["discovery"]

    os.kill(before, signal.SIGKILL)

    assert becomes_true(lambda: up.pids()["discovery"] not in {before, None})
    assert becomes_true(lambda: health.serves(base + 3))


def test_a_service_can_be_started_by_hand_with_the_line_that_is_written_down(
    up: Up, base: int, tmp_path: Path
) -> None:
    """A developer replaces one service by a changed one; the stack steps aside."""
    line = up.described()["start_by_hand"]["discovery"]
    variable, _, command = line.partition(" ")
    name, _, value = variable.partition("=")
    free = {**os.environ, name: value, "DISCOVERY_PORT": str(ports.free_port())}

    with (tmp_path / "log").open("w") as log:
        by_hand = subprocess.Popen(command.split(), cwd=CHECKOUT, env=free, stdout=log, stderr=log)
    try:
        assert becomes_true(lambda: health.serves(int(free["DISCOVERY_PORT"])))
    finally:
        by_hand.kill()
        by_hand.wait()


def test_kill_9_leaves_nothing_and_the_folder_starts_again(up: Up, base: int, sandbox: str) -> None:
    """The whole promise: no process, no secret, no lock is left, and the data is."""
    pids = [*up.pids().values()]
    below = [child.pid for child in psutil.Process(up.process.pid).children(recursive=True)]

    up.stop(signal.SIGKILL)
    again = Up(up.data, base, {"KEEPA_BASE_URL": sandbox, "KEEPA_API_KEY": KEY})

    assert becomes_true(lambda: all(map(ended, [*pids, *below])))
    assert becomes_true(again.is_up, START_SECONDS), again.said()
    mine = [*again.pids().values()]
    assert again.stop() == 0
    assert all(map(ended, mine))
    assert not (up.data / "secrets").exists()
    assert not (up.data / "stack.json").exists()


def test_a_rejected_key_ends_it_in_one_sentence(tmp_path: Path, sandbox: str) -> None:
    wrong = Up(tmp_path / "data", free_base(), {"KEEPA_BASE_URL": sandbox, "KEEPA_API_KEY": "no"})

    assert wrong.process.wait(START_SECONDS) == 1
    assert "✗ Keepa rejects the key: " in wrong.said()
