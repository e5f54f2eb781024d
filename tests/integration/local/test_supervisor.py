"""Parts come up, come back, and step aside, with real processes on real ports."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from deploy.local import health, ports
from deploy.local.narrator import Narrator
from deploy.local.parts import Program
from deploy.local.process import CannotStart
from deploy.local.supervisor import Supervisor

SERVER = """
import http.server, sys
class Ok(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Ok).serve_forever()
"""


def stand_in(folder: Path, *, code: str = SERVER, port: int | None = None) -> Program:
    """A part that is nothing but a small HTTP server."""
    chosen = port or ports.free_port()
    return Program(
        "stand_in",
        [sys.executable, "-I", "-S", "-c", code, str(chosen)],
        environment={},
        port=chosen,
        log=folder / "stand_in.log",
        probe=partial(health.answers, f"http://{ports.HOST}:{chosen}/"),
        grace_seconds=2,
        advice="Stop it.",
    )


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    """A supervisor that is stopped at the end."""
    supervisor = Supervisor(Narrator())
    yield supervisor
    supervisor.stop()


def tended_until(supervisor: Supervisor, claim: Callable[[], bool], seconds: float = 40) -> bool:
    give_up_at = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > give_up_at:
            return False
        supervisor.tend()
        time.sleep(0.02)
    return True


def test_a_part_killed_with_9_serves_again_on_the_same_port(
    supervisor: Supervisor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Callers keep the address, so that is where it has to come back."""
    part = stand_in(tmp_path)
    supervisor.bring_up([part])
    first = part.pid
    assert first is not None

    os.kill(first, signal.SIGKILL)

    assert tended_until(supervisor, lambda: part.pid not in {first, None} and part.ready())
    assert tended_until(supervisor, lambda: supervisor.describe()[0]["state"] == "up")
    assert "stand_in was ended by signal 9. Trying again" in capfd.readouterr().err


def test_a_part_that_somebody_started_by_hand_is_adopted_until_it_goes(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """A person who kills a service and starts it themselves must not be fought over the port."""
    part = stand_in(tmp_path)
    supervisor.bring_up([part])
    part.kill()
    port = part.address.rpartition(":")[2]
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", SERVER, port]) as by_hand:
        assert tended_until(Supervisor(Narrator()), part.ready)

        assert tended_until(supervisor, lambda: supervisor.describe()[0]["state"] == "another's")
        assert part.pid is None

        by_hand.kill()
    assert tended_until(supervisor, lambda: part.pid is not None and part.ready())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("the moon is full", "the moon is full"),
        (
            '{"event": "service failed", "exception": "Traceback:\\n  ...\\nOops: no moon"}',
            "service failed: Oops: no moon",
        ),
    ],
    ids=["plain", "structured"],
)
def test_a_part_that_ends_before_it_is_healthy_says_its_last_words(
    supervisor: Supervisor, tmp_path: Path, words: str, told: str
) -> None:
    """The reason is in a log; a person should not have to look for it."""
    part = stand_in(tmp_path, code=f"import sys; sys.exit({words!r})")

    with pytest.raises(CannotStart) as refused:
        supervisor.bring_up([part])

    assert str(refused.value).startswith(f"stand_in ended with status 1: {told} (all of it: ")


def test_refused_settings_are_repeated_in_full_and_without_older_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    """Status 2 means that each line names one bad variable; last week's lines do not count."""
    (tmp_path / "stand_in.log").write_text("last week's complaint\n")
    code = "import sys; sys.stderr.write('A: must be 1\\nB: must be 2\\n'); sys.exit(2)"
    part = stand_in(tmp_path, code=code)

    with pytest.raises(CannotStart) as refused:
        supervisor.bring_up([part])

    assert str(refused.value) == "stand_in refuses its settings: A: must be 1; B: must be 2"


def test_a_part_that_never_gets_healthy_is_named_with_its_limit(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = stand_in(tmp_path, code="import time; time.sleep(60)")
    part.start_seconds = 0.3

    with pytest.raises(CannotStart, match=r"stand_in was not healthy after 0 s at 127\.0\.0\.1:"):
        supervisor.bring_up([part])


def test_stop_ends_every_part_and_can_be_repeated(supervisor: Supervisor, tmp_path: Path) -> None:
    parts = [stand_in(tmp_path), stand_in(tmp_path)]
    supervisor.bring_up(parts)

    supervisor.stop()
    supervisor.stop()

    assert [part.running() for part in parts] == [False, False]
