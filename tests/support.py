"""What tests of every service are written with."""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from deploy.local import ports
from services.chassis.testing import FakeClock, Served, refusal, serve, settings

__all__ = [
    "FakeClock",
    "Said",
    "Served",
    "avault",
    "avault_each",
    "free_base",
    "http_client",
    "refusal",
    "serve",
    "settings",
    "until",
]

# To read the certificates of the whole world takes 50 ms, for each client anew.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

_EACH = """
import json, sys
from typer.testing import CliRunner
from services.cli.app import app
for line in sys.stdin:
    ran = CliRunner().invoke(app, json.loads(line))
    if ran.exception and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    print(json.dumps([ran.exit_code, ran.stdout, ran.stderr]))
"""


@dataclass(frozen=True)
class Said:
    """What a command ended with, and what it wrote to standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def answers(self) -> list[dict[str, Any]]:
        """The lines of JSON on standard output."""
        assert self.code == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]


async def avault(*arguments: str, **targets: str) -> tuple[list[dict[str, Any]], str]:
    """Run a command with `--json` against services elsewhere than usual, such as `discovery`.

    Returns:
        Its answers, and what it said beside them.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", *arguments, "--json"),
        env=_environment(targets),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    answers, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return [json.loads(line) for line in answers.splitlines()], said.decode()


async def avault_each(*commands: Sequence[str], **targets: str) -> list[Said]:
    """Run commands one after the other, in one process: most of a command is its start."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _EACH),
        env=_environment(targets),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    lines = "\n".join(json.dumps([*command]) for command in commands)
    said, failure = await process.communicate(lines.encode())
    assert process.returncode == 0, failure.decode()
    return [Said(*json.loads(line)) for line in said.splitlines()]


def _environment(targets: dict[str, str]) -> dict[str, str]:
    where = {f"{name.upper()}_TARGET": address for name, address in targets.items()}
    return {**os.environ, **where, "COLUMNS": "300", "NO_COLOR": "1"}


async def until(happens: Callable[[], Awaitable[object]], seconds: float = 40.0) -> None:
    """Wait until something is true, or fail."""
    async with asyncio.timeout(seconds):
        while not await happens():  # noqa: ASYNC110 - it is another process's state
            await asyncio.sleep(0.02)


def http_client(url: str = "", timeout: float = 10.0) -> httpx.AsyncClient:
    """Build a client for HTTP in the clear, past every proxy: of the stand-in, of the broker."""
    return httpx.AsyncClient(
        base_url=url, timeout=timeout, trust_env=False, verify=_NO_CERTIFICATES
    )


def free_base() -> int:
    """Return a number above which the seven ports of a stack are free."""
    return ports.free_block(8)
