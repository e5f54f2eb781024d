"""`avault` at the head of a pipe."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    """`avault picks --json | head -1` ended with "None: Broken pipe"."""
    program = (
        "from services.cli import asking\n"
        "async def ask(_):\n"
        "    for number in range(100_000):\n"
        "        print(number)\n"
        "asking.asking(ask)\n"
    )
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} -c '{program}' | head -1; exit ${{PIPESTATUS[0]}}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (ran.stdout, ran.stderr, ran.returncode) == ("0\n", "", 0)
