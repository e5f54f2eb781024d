"""The truth log adds up, keeps no key, and survives in its file."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

UNKNOWN = ",".join(f"B00000000{digit}" for digit in range(10))


async def busy(caller: Any) -> None:
    """Make calls of every outcome, at the same time."""
    await caller.order(fault="foreign_spend", tokens=3)
    await asyncio.gather(
        *(caller.get("/product", asin=UNKNOWN) for _ in range(12)),
        *(caller.get("/query", selection="{}") for _ in range(3)),
        caller.get("/product", asin="?"),
        caller.get("/bestsellers", category=1),
        caller.get("/nowhere"),
    )
    await caller.order(fault="credit", tokens=2)
    await caller.order(fault="plan", rate=30)
    await caller.get("/product", asin=UNKNOWN)


async def test_the_lines_add_up_to_the_balance(start: Any) -> None:
    """INV-8, INV-11: an auditor can follow every token from line to line."""
    async with start(left=60, tick_ms=120) as caller:
        await busy(caller)
        await asyncio.sleep(0.3)
        await busy(caller)
        lines = await caller.truth()
        balance = await caller.balance()

    left = 60
    for line in lines:
        left += line["refilled"] - line["tokensConsumed"]
        assert line["tokensLeft"] == left
        assert line["arrived_ms"] <= line["finished_ms"]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert sum(line["refilled"] for line in lines) > 0
    requests = [line for line in lines if line["kind"] == "request"]
    assert sum(line["tokensConsumed"] for line in requests) == balance["tokensConsumed"]
    assert min(60, *(line["tokensLeft"] for line in lines)) == balance["minimum"]


async def test_the_key_is_nowhere(start: Any, tmp_path: Path, capfd: Any) -> None:
    """G7: the stand-in is trusted with real keys by mistake sooner or later."""
    secret = "S3CRET" * 10
    file = tmp_path / "truth.jsonl"
    async with start(truth=file, key="another") as caller:
        for name in ("key", "KEY", "Key"):
            await caller.http.get("/product", params={name: secret, "domain": 1})
        await caller.http.get(f"/key={secret}", params={"key": secret})
        await caller.http.post("/query", params={"key": secret}, content=b"{}")
        told = [line for line in await caller.truth() if line["path"].startswith("/p")]
        balance = json.dumps(await caller.balance())

    printed = "".join(capfd.readouterr())
    assert all("key" not in {name.lower() for name in line["params"]} for line in told)
    assert secret not in printed + balance + json.dumps(told)


async def test_the_file_holds_every_line_before_the_answer_leaves(
    start: Any, tmp_path: Path
) -> None:
    """A kill of the stand-in must not lose what it charged."""
    file = tmp_path / "truth.jsonl"
    async with start(truth=file) as caller:
        await caller.get("/product", asin=UNKNOWN)
        written = [json.loads(line) for line in file.read_text().splitlines()]
        assert written == await caller.truth()

    async with start(truth=file) as caller:
        await caller.get("/token")
    assert len(file.read_text().splitlines()) == 2


async def test_a_reader_can_ask_for_what_is_new(caller: Any) -> None:
    """`?after=SEQ` keeps an auditor from reading the whole log again and again."""
    for _ in range(5):
        await caller.get("/token")

    text = (await caller.http.get("/_sandbox/truth", params={"after": 3})).text
    wrong = await caller.http.get("/_sandbox/truth", params={"after": "x"})

    assert [json.loads(line)["seq"] for line in text.splitlines()] == [4, 5]
    assert wrong.status_code == 400


async def test_the_history_of_the_balance_names_every_cause(start: Any) -> None:
    """Ticks, our calls, somebody else's, and a change of plan."""
    async with start(left=100, tick_ms=100) as caller:
        await asyncio.sleep(0.25)
        await caller.get("/product", asin=UNKNOWN)
        await caller.order(fault="foreign_spend", tokens=7)
        await caller.order(fault="credit", tokens=4)
        await caller.order(fault="plan", rate=5)
        answer = await caller.http.get("/_sandbox/balance", params={"history": 1})

    history = answer.json()["history"]
    causes = [change["cause"] for change in history]
    assert [cause for cause in causes if cause != "tick"] == ["spend", "foreign", "credit", "plan"]
    assert causes.count("tick") >= 1
    assert [change["at_ms"] for change in history] == sorted(c["at_ms"] for c in history)
