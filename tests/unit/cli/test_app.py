"""How `avault` takes wrong use."""

import pytest
from typer.testing import CliRunner

from services.cli.app import app


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["estimate", "--strategy", "brave"], "balanced, smart_velocity"),
        (["export", "picks.doc"], ".csv, .jsonl, .xlsx"),
        (["estimate", "--rank-min", "-1"], "--rank-min"),
        (["niches", "examine", "--count", "6"], "less than or equal to 5"),
    ],
)
def test_wrong_use_names_what_is_allowed(arguments: list[str], said: str) -> None:
    """Every refusal helps, before anything is asked of a service."""
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "300", "NO_COLOR": "1"})

    assert result.exit_code == 2
    assert said in result.output
