"""Logs: what is a secret never reaches a line."""

import json
import logging
from types import SimpleNamespace

import pytest

from services.chassis import telemetry

CANARY = "c4n4ry7f3e9"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (
            "GET https://api.keepa.com/product?key=abc123&domain=1",
            "GET https://api.keepa.com/product?key=***&domain=1",
        ),
        ("url='/token?domain=1&key=abc123'", "url='/token?domain=1&key=***'"),
        ("key=abc123", "key=***"),
        ("api_key=abc123", "api_key=***"),
        ("postgresql://budget:pw%40x@db:5432/x", "postgresql://budget:***@db:5432/x"),
        ("nats://u:p@a,nats://u:q@b", "nats://u:***@a,nats://u:***@b"),
        ("no secret, monkey=1 and https://a:8080/b", "no secret, monkey=1 and https://a:8080/b"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, clean: str) -> None:
    """Libraries put whole URLs into their errors (G7)."""
    assert telemetry.scrub(text) == clean


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_hidden_secret_is_masked_wherever_it_turns_up(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the event, in a fact, deep in a structure, in a trace, in a library's line (G7)."""
    telemetry.hide(CANARY)
    telemetry.configure_logging(SimpleNamespace(log_level="INFO", log_format=log_format))
    log = telemetry.get_logger("test")

    event, error = f"got {CANARY}", ValueError(f"with {CANARY}")
    log.info(event, url=f"/x?key={CANARY}", deep={"a": [CANARY, {"b": CANARY}]})
    log.error("failed", exc_info=error)
    logging.getLogger("library").warning("said %s", CANARY)

    written = capsys.readouterr().err
    assert "***" in written
    assert CANARY not in written
    assert "said" in written


def test_a_line_of_json_carries_its_facts(capsys: pytest.CaptureFixture[str]) -> None:
    """Dashboards read the keys."""
    telemetry.configure_logging(SimpleNamespace(log_level="INFO", log_format="json"))

    telemetry.get_logger("m").info("tokens held", tokens=3, account="accounts/default")
    telemetry.get_logger("m").debug("not this one")

    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert found["event"] == "tokens held"
    assert (found["tokens"], found["account"], found["level"]) == (3, "accounts/default", "info")
    assert found["timestamp"].endswith("Z")
