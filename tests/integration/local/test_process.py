"""No process survives its supervisor, however that one ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deploy.local import process

CHECKOUT = Path(__file__).parents[3]
ORPHANS = Path(__file__).with_name("orphans.py")


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def becomes_true(claim: Callable[[], bool], seconds: float = 40.0) -> bool:
    give_up_at = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_a_killed_supervisor_leaves_no_process_and_no_temporary_folder(
    number: signal.Signals,
) -> None:
    """A forgotten database holds its port, its folder and 80 MB until somebody finds it."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(
        [sys.executable, str(ORPHANS)], stdout=subprocess.PIPE, env=environment, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        told = json.loads(supervisor.stdout.readline())
        below = [child.pid for pid in told["pids"] for child in psutil.Process(pid).children()]
        assert below, "PostgreSQL has processes of its own"

        supervisor.send_signal(number)
        supervisor.wait()

    assert becomes_true(lambda: all(map(ended, [*told["pids"], *below])))
    assert becomes_true(lambda: not any(Path(folder).exists() for folder in told["folders"]))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent")
def test_the_first_means_alone_is_enough() -> None:
    """Whoever kills every Python process kills the guardian as well."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(
        [sys.executable, str(ORPHANS)], stdout=subprocess.PIPE, env=environment, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        told = json.loads(supervisor.stdout.readline())
        *engines, guardian = told["pids"]

        os.kill(guardian, signal.SIGKILL)
        supervisor.kill()
        supervisor.wait()

    assert becomes_true(lambda: all(map(ended, engines)))
    for folder in told["folders"]:
        shutil.rmtree(folder, ignore_errors=True)


def test_the_second_means_alone_is_enough(tmp_path: Path) -> None:
    """Off Linux the kernel does not help; there the guardian has to."""
    lines = "watch {child} 15\nwatch {forgotten} 15\nforget {forgotten}\nsweep {folder}\n"
    folder = tmp_path / "temporary"
    folder.mkdir()
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(sleep) as child, subprocess.Popen(sleep) as forgotten:
        subprocess.run(
            [*process.PYTHON, str(process.HERE / "guardian.py")],
            input=lines.format(child=child.pid, forgotten=forgotten.pid, folder=folder),
            text=True,
            check=True,
            timeout=20,
        )

        assert child.wait() == -signal.SIGTERM
        assert forgotten.poll() is None
        forgotten.kill()
    assert not folder.exists()


def test_a_child_sees_nothing_of_our_environment_and_our_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not passed on cannot leak, and Ctrl-C is the supervisor's to translate."""
    monkeypatch.setenv("KEEPA_API_KEY", "secret")
    log = tmp_path / "log"
    program = "import os; print(sorted(os.environ), os.getsid(0) == os.getpid())"

    child = process.spawn("nosy", [sys.executable, "-I", "-c", program], env={"A": "1"}, log=log)

    assert becomes_true(lambda: not child.running)
    names, own_session = log.read_text().rsplit(maxsplit=1)
    assert "'A'" in names
    assert "KEEPA_API_KEY" not in names
    assert own_session == "True"


def test_a_child_that_will_not_stop_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    """A stop that can hang is a stop that people end with kill -9."""
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(60)"
    log = tmp_path / "log"
    child = process.spawn("stubborn", [sys.executable, "-uc", stubborn], env={}, log=log)
    assert becomes_true(lambda: log.read_text() != "")

    child.stop(grace_seconds=0.2)

    assert child.exit_code == -signal.SIGKILL


def test_a_program_that_is_not_there_is_named_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"

    child = process.spawn("absent", ["/nowhere/program"], env={}, log=log)

    assert becomes_true(lambda: not child.running)
    assert process.last_line(log) == "cannot run /nowhere/program in /: No such file or directory"
