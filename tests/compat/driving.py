"""A stand-in that answers as https://api.keepa.com, and the package `keepa` as its client.

Loaded as a plugin into the package's own environment, which has nothing of this project in it.
"""

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keepa
import pytest
from front import standing_in

KEY = "k" * 64
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
BOOKS = 150
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Stand:
    """The controls of one running stand-in."""

    url: str

    def balance(self) -> dict[str, Any]:
        """Read the true balance."""
        body: dict[str, Any] = json.loads(self._ask("balance"))
        return body

    def truth(self) -> list[dict[str, Any]]:
        """Read every request it got, and what that cost."""
        return [json.loads(line) for line in self._ask("truth").splitlines()]

    def post(self, what: str, **order: Any) -> None:
        """Order a fault, or move the clock."""
        self._ask(what, json.dumps(order).encode())

    def _ask(self, what: str, data: bytes | None = None) -> bytes:
        with _DIRECTLY.open(f"{self.url}/_sandbox/{what}", data) as answer:
            return bytes(answer.read())


@dataclass(frozen=True)
class Driven:
    """The package's client, and the stand-in that it takes for Keepa."""

    stand: Stand
    api: keepa.Keepa
    asins: list[str]

    def costs(self, call: Any, *args: Any, **options: Any) -> tuple[Any, int]:
        """Call, and return the result with what was really charged for it."""
        before = len(self.stand.truth())
        result = call(*args, **options)
        return result, sum(line["tokensConsumed"] for line in self.stand.truth()[before:])

    def products(self, count: int, **options: Any) -> tuple[Any, int]:
        """Ask for the first books of the catalogue."""
        return self.costs(self.api.query, self.asins[:count], progress_bar=False, **options)


@contextmanager
def driven(url: str, folder: Path) -> Iterator[Driven]:
    """Lead the package to a stand-in by the environment alone."""
    with pytest.MonkeyPatch.context() as patch, standing_in(url, folder) as environment:
        for name in PROXIES:
            patch.delenv(name, raising=False)
            patch.delenv(name.lower(), raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        api = keepa.Keepa(KEY, timeout=30)
        asins = api.product_finder({"productType": [0], "perPage": BOOKS})
        yield Driven(Stand(url), api, asins)


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    """More tokens than any test spends."""
    with driven(os.environ["RICH_URL"], tmp_path_factory.mktemp("rich")) as client:
        yield client


@pytest.fixture(scope="module")
def scarce(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    """A tick every second, and a bucket that the tests empty."""
    with driven(os.environ["SCARCE_URL"], tmp_path_factory.mktemp("scarce")) as client:
        yield client


def pytest_report_header() -> str:
    """Say what is driven."""
    return f"keepa {keepa.__version__}, unmodified, against the stand-in"
