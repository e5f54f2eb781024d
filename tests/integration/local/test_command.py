"""What `python -m deploy.local` says and returns when it cannot do what it was asked."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import free_base

CHECKOUT = Path(__file__).parents[3]


def up(
    *options: str, environment: Mapping[str, str] | None = None, command: str = "up"
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", command, *options],
        cwd=CHECKOUT,
        env={**plain, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_a_taken_port_ends_it_before_anything_is_started(tmp_path: Path) -> None:
    """The port is named, who has it, and what to do; nothing is left on the disk."""
    base = free_base()
    port = base + 2
    with socket.create_server(("127.0.0.1", port)):
        ended = up("--port-base", str(base), environment={"TMPDIR": str(tmp_path)})

    assert ended.returncode == 1
    assert ended.stderr == (
        f"✗ keepa_gateway cannot listen on 127.0.0.1:{port}: the port is taken by python "
        f"(pid {os.getpid()}). Stop it, or move the whole stack with --port-base "
        "(make up PORT_BASE=21000).\n"
    ).replace("python ", f"{Path('/proc/self/comm').read_text().strip()} ")
    assert "PostgreSQL" not in ended.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "environment", "told"),
    [
        (("--port-base", "7"), {}, "--port-base must be from 1024 to 65528, not 7."),
        ((), {"KEEPA_TICK_SECONDS": "never"}, "KEEPA_TICK_SECONDS must be seconds"),
    ],
)
def test_a_bad_setting_is_one_sentence_and_status_2(
    options: tuple[str, ...], environment: dict[str, str], told: str
) -> None:
    ended = up(*options, environment=environment)

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"✗ {told}")
    assert ended.stderr.count("\n") == 1


def test_an_engine_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    """Whoever points at a real database finds out at once when it is down."""
    nobody_listens = "postgresql://migrator:hunter2@127.0.0.1:1/prod"

    ended = up("--port-base", str(free_base()), environment={"DATABASE_URL": nobody_listens})

    assert ended.returncode == 1
    assert ended.stderr.startswith("✗ DATABASE_URL: PostgreSQL at 127.0.0.1:1 refuses: ")
    assert "hunter2" not in ended.stderr + ended.stdout
    assert ended.stderr.count("\n") == 1


def test_a_demo_that_could_not_write_its_picks_spends_nothing(tmp_path: Path) -> None:
    """It ran to its end, tokens and all, and then ended in a traceback."""
    file = tmp_path / "file"
    file.touch()

    ended = up("--out", str(file / "out"), command="demo")

    assert ended.returncode == 2
    assert ended.stderr == (
        f"✗ The picks cannot be written to {file / 'out'}: Not a directory. "
        "Choose another with --out.\n"
    )
    assert ended.stdout == ""
