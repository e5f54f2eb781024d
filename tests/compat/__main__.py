"""`python -m tests.compat PYTHON` drives the stand-in with the package `keepa` of that Python."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.integration.keepa_gateway.world import sandbox_process

FOLDER = Path(__file__).parent
DRIVES = ("reads.py", "waits.py")
KEY = "k" * 64
RICH = ("--rate", "2000", "--books", "1200", "--key", KEY)
SCARCE = ("--rate", "600", "--books", "100", "--tick-seconds", "1", "--key", KEY)
SECONDS = 300


def main(python: str) -> int:
    """Start a rich and a scarce stand-in, and return what the drives returned."""
    with ExitStack() as stack:
        rich = stack.enter_context(sandbox_process(*RICH))
        scarce = stack.enter_context(sandbox_process(*SCARCE))
        addresses = {"RICH_URL": rich.url, "SCARCE_URL": scarce.url}
        return subprocess.run(
            [python, "-m", "pytest", "-c", FOLDER / "pytest.ini", "--noconftest", "-p", "driving",
             "-v", *(FOLDER / name for name in DRIVES)],
            env={**os.environ, **addresses, "PYTHONPATH": str(FOLDER)},
            timeout=SECONDS,
            check=False,
        ).returncode  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
