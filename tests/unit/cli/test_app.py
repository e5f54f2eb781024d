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
        (["estimate", "--cost-column", "prix"], "names the file"),
        (["score"], "name products, or a --file of them"),
        (["score", "0470820942", "--buy", "cheap"], "dollars such as 12.50"),
        (["discover", "--unscored", "--offers", "2"], "does not go with --offers"),
        (["verify", "0470820942", "--rank", "5"], "--sell"),
        (["views", "show", "velocity", "0470820942", "--refresh"], "needs --fetch"),
        (["niches", "change", "bookmarks/x"], "nothing was given that changes"),
        (["profiles", "change", "x", "--clear", "etag"], "display_name, filter"),
        (["cache", "purge", "--cache", "disk"], "discovery, scoring"),
        (["searches", "export", "searches/x", "found.doc"], ".csv, .jsonl, .xlsx"),
        (["keepa", "lightning-deals"], "give --full-list"),
        (["keepa", "best-sellers", "3", "--month", "May"], "must be YYYY-MM"),
        (["keepa", "search", "atlas", "--domain", "mars"], "com, co_uk, de"),
        (["tokens", "usage", "--by", "mood"], "caller, action, endpoint, job, day"),
        (["ledger", "--follow", "--kind", "held"], "neither --kind nor --job"),
    ],
)
def test_wrong_use_names_what_is_allowed(arguments: list[str], said: str) -> None:
    """Every refusal helps, before anything is asked of a service."""
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "300", "NO_COLOR": "1"})

    assert result.exit_code == 2
    assert said in result.output
