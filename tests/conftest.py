"""What holds for every test: one event loop, no network in unit tests, and the shared engines."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from services.chassis import telemetry

# A stalled machine is no counterexample.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

pytest_plugins = ["services.chassis.testing.engines"]

TESTS = Path(__file__).parent
UNIT = TESTS / "unit"
LONG = (TESTS / "e2e", TESTS / "simulation")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, or one worker ends with such a one while the others idle."""
    items.sort(key=lambda item: not any(item.path.is_relative_to(long) for long in LONG))


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Production runs on uvloop, so tests do."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session", autouse=True)
async def one_event_loop(anyio_backend: object) -> AsyncIterator[None]:
    """Keep one loop for the whole run: grpc.aio supports only one in a process."""
    yield  # noqa: PT022 - what is held open is the loop


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Write logs as production does, so that no test output shows local variables."""
    telemetry.configure_logging(SimpleNamespace(log_level="INFO", log_format="console"))


@pytest.fixture(autouse=True)
def no_network_in_unit_tests(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit test that reaches for a socket is in the wrong folder."""
    if request.path.is_relative_to(UNIT):
        monkeypatch.setattr(socket.socket, "connect", _refuse)
        monkeypatch.setattr(socket.socket, "bind", _refuse)


def _refuse(*_: Any) -> NoReturn:
    raise AssertionError("unit tests do no I/O: move this one to tests/contract or integration")
