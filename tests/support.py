"""What tests of every service are written with."""

import asyncio
import json
import os
import sys
from typing import Any

from deploy.local import ports
from services.chassis.testing import FakeClock, Served, refusal, serve, settings

__all__ = ["FakeClock", "Served", "avault", "free_base", "refusal", "serve", "settings"]


async def avault(*arguments: str, **targets: str) -> tuple[list[dict[str, Any]], str]:
    """Run a command with `--json` against services elsewhere than usual, such as `discovery`.

    Returns:
        Its answers, and what it said beside them.
    """
    where = {f"{name.upper()}_TARGET": address for name, address in targets.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", *arguments, "--json"),
        env={**os.environ, **where, "COLUMNS": "300"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    answers, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return [json.loads(line) for line in answers.splitlines()], said.decode()


def free_base() -> int:
    """Return a number above which the seven ports of a stack are free."""
    return ports.free_block(8)
