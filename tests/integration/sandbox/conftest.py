"""What the stand-in's integration tests share: one served over a real port, and a caller."""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.sandbox.account import Account
from deploy.sandbox.app import Sandbox, build
from deploy.sandbox.bucket import TICK_MS, Bucket
from deploy.sandbox.catalogue import Catalogue
from deploy.sandbox.catalogue.generated import GeneratedCatalogue
from deploy.sandbox.clock import Clock
from deploy.sandbox.keepa_time import minute_of
from deploy.sandbox.server import serving
from deploy.sandbox.truth import TruthLog
from tests.support import http_client

KEY = "k" * 64
BOOKS = GeneratedCatalogue(seed=5, size=300, minute=minute_of(Clock()()))


@dataclass
class Caller:
    """A client of one running stand-in."""

    http: httpx.AsyncClient
    sandbox: Sandbox

    async def get(self, path: str, **params: Any) -> httpx.Response:
        """Ask as the gateway does: domain 1, with the key; names with ``_`` have dashes."""
        named = {name.replace("_", "-"): value for name, value in params.items()}
        return await self.http.get(path, params={"domain": 1, "key": KEY, **named})

    async def body(self, path: str, **params: Any) -> dict[str, Any]:
        """Return the JSON of an answer, whatever its status."""
        answer: dict[str, Any] = (await self.get(path, **params)).json()
        return answer

    async def order(self, **fault: Any) -> httpx.Response:
        """Order a fault."""
        return await self.http.post("/_sandbox/faults", json=fault)

    async def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        moved = await self.http.post("/_sandbox/clock", json={"advance": milliseconds})
        assert moved.status_code == 200, moved.text

    async def struck(self) -> None:
        """Wait until no fault is armed any more: the request that it strikes is there."""
        while (await self.http.get("/_sandbox/faults")).json():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def truth(self) -> list[dict[str, Any]]:
        """Read the truth log."""
        lines = (await self.http.get("/_sandbox/truth")).text.splitlines()
        return [json.loads(line) for line in lines]

    async def balance(self) -> dict[str, Any]:
        """Read the true balance."""
        body: dict[str, Any] = (await self.http.get("/_sandbox/balance")).json()
        return body


@asynccontextmanager
async def running(
    *,
    left: int = 1_200,
    rate: int = 20,
    tick_ms: int = TICK_MS,
    scale: float = 1.0,
    catalogue: Catalogue = BOOKS,
    truth: Path | None = None,
    **options: Any,
) -> AsyncIterator[Caller]:
    """Serve a stand-in and call it; with ``scale`` 0 its clock stands until it is moved."""
    clock = Clock(scale=scale)
    bucket = Bucket(rate=rate, left=left, first_tick_ms=clock() + tick_ms, tick_ms=tick_ms)
    account = Account(bucket, TruthLog(truth), clock)
    sandbox = build(account, catalogue, rng=random.Random(11), **options)
    async with serving(sandbox.app) as url, http_client(url) as http:
        yield Caller(http, sandbox)
    account.truth.close()


@pytest.fixture
def start() -> Callable[..., Any]:
    """Start a stand-in with options of one's own."""
    return running


@pytest.fixture
async def caller(anyio_backend: object) -> AsyncIterator[Caller]:
    """A stand-in at 20 tokens a minute with a full bucket."""
    async with running() as served:
        yield served


@pytest.fixture(scope="session")
def sample() -> Callable[[str], Any]:
    """Read one recorded file by name."""
    beside = Path(__file__).resolve().parents[4] / "shared"
    folder = Path(os.environ.get("AV_SHARED", beside)) / "keepa_samples"
    if not folder.is_dir():
        pytest.skip("the optional folder ../shared is absent")
    return lambda name: json.loads((folder / name).read_text(encoding="utf-8"))
