"""What the stand-in's unit tests share: a small catalogue, and the recorded answers if present."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.catalogue.generated import GeneratedCatalogue

MINUTE = 8_356_000  # some Keepa minute of November 2026


@pytest.fixture(scope="session")
def shared() -> Path:
    """The optional folder of recorded answers."""
    beside = Path(__file__).resolve().parents[4] / "shared"
    folder = Path(os.environ.get("AV_SHARED", beside)) / "keepa_samples"
    if not folder.is_dir():
        pytest.skip("the optional folder ../shared is absent")
    return folder


@pytest.fixture(scope="session")
def sample(shared: Path) -> Callable[[str], Any]:
    """Read one recorded file by name."""
    return lambda name: json.loads((shared / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def catalogue() -> GeneratedCatalogue:
    """Four hundred invented books."""
    return GeneratedCatalogue(seed=7, size=400, minute=MINUTE)
