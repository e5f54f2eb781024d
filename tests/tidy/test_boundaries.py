"""The import rules of `.importlinter`, as a test."""

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]


def test_the_parts_know_only_what_they_may(capsys: pytest.CaptureFixture[str]) -> None:
    """A boundary that nothing checks is gone within a month."""
    code = lint_imports(config_filename=str(ROOT / ".importlinter"), no_cache=True)

    assert code == 0, capsys.readouterr().out
