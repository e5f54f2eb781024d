"""What `avault` asks of discovery and shows of its answers, as a process of its own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from arbitragevault.discovery.v1 import discovery_pb2_grpc

from services.chassis.testing import serve
from tests.integration.discovery.stage import Replica, asin, servicer_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
Avault = Callable[..., Awaitable[tuple[list[dict[str, Any]], str]]]


@pytest.fixture(scope="module")
async def avault(one: Replica) -> AsyncIterator[Avault]:
    """Runs a command with `--json`; gives its answers and what it said beside them."""

    def register(server: Any) -> None:
        discovery_pb2_grpc.add_DiscoveryServiceServicer_to_server(servicer_of(one), server)

    async with serve(register, service="discovery") as served:

        async def run(*arguments: str) -> tuple[list[dict[str, Any]], str]:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.cli", *arguments, "--json"),
                env={**os.environ, "DISCOVERY_TARGET": served.address, "COLUMNS": "300"},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            answers, said = await process.communicate()
            assert process.returncode == 0, said
            return [json.loads(line) for line in answers.splitlines()], said.decode()

        yield run


async def test_a_search_tells_its_price_before_and_its_cost_after(
    avault: Avault, one: Replica
) -> None:
    """Fifty for the list, two products, one second look; stored, all of it is free."""
    before = one.till.tokens
    search = ("discover", "--best-sellers", "--max-results", "2", "--offers", "1")

    _, paid = await avault(*search)
    spent = one.till.tokens - before
    scores, free = await avault(*search, "--cache-only")

    assert paid.splitlines()[0] == "costs at most 52 tokens, and 16 more for live offers"
    assert f"asked now; {spent} tokens" in paid
    assert spent == one.till.tokens - before == 50 + 2 + 6
    assert "costs at most" not in free
    assert "; 0 tokens" in free
    assert sorted(score.get("offersFetched", False) for score in scores) == [False, True]


async def test_a_product_shows_its_history_and_why_it_changed(avault: Avault) -> None:
    """From the ASIN to its scores, from there to the lines that differ."""
    name = asin(77)
    (first,), _ = await avault("score", name)
    (second,), told = await avault("score", name, "--strategy", "textbooks_patience")

    former, _ = await avault("history", name)
    (answer,), _ = await avault("compare", second["name"])

    assert "asked now; 0 tokens" in told
    assert [score["name"] for score in former] == [second["name"], first["name"]]
    assert answer["other"]["name"] == first["name"]
    changed = {line["key"] for line in answer["differences"] if line.get("input")}
    assert "buffer_percent" in changed
