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
        (["discover", "--offers", "101"], "less than or equal to 100"),
        (["discover", "--at-least", "good"], "skip, consider, buy, strong_buy"),
        (["discover", "--refresh", "--cache-only"], "neither --cache-only nor --accept-stale"),
        (["score", "0470820942", "--refresh", "--accept-stale"], "neither --cache-only"),
        (["decide", "picks/x", "--action", "sell"], "pending, to_buy, favorite"),
        (["decide", "picks/x"], "give --action, --notes or both"),
        (["run", "--file", "no-such-file.csv"], "does not exist"),
        (["scores", "--limit", "0"], "greater than or equal to 1"),
    ],
)
def test_wrong_use_names_what_is_allowed(arguments: list[str], said: str) -> None:
    """Every refusal helps, before anything is asked of a service."""
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "300", "NO_COLOR": "1"})

    assert result.exit_code == 2
    assert said in result.output
