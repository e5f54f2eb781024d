"""What `avault` asks of discovery and shows of its answers, as a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2_grpc

from tests.integration.discovery.stage import Replica, asin, servicer_of
from tests.support import avault, serve

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
Avault = Callable[..., Awaitable[tuple[list[dict[str, Any]], str]]]


@pytest.fixture(scope="module")
async def ask(one: Replica) -> AsyncIterator[Avault]:
    """Runs a command against the replica."""

    def register(server: Any) -> None:
        discovery_pb2_grpc.add_DiscoveryServiceServicer_to_server(servicer_of(one), server)

    async with serve(register, service="discovery") as served:
        yield partial(avault, discovery=served.address)


async def test_a_search_tells_its_price_before_and_its_cost_after(
    ask: Avault, one: Replica
) -> None:
    """Fifty for the list, two products, one second look; stored, all of it is free."""
    before = one.till.tokens
    search = ("discover", "--best-sellers", "--max-results", "2", "--offers", "1")

    _, paid = await ask(*search)
    spent = one.till.tokens - before
    scores, free = await ask(*search, "--cache-only")

    assert paid.splitlines()[0] == "costs at most 52 tokens, and 16 more for live offers"
    assert f"asked now; {spent} tokens" in paid
    assert spent == one.till.tokens - before == 50 + 2 + 6
    assert "costs at most" not in free
    assert "; 0 tokens" in free
    assert sorted(score.get("offersFetched", False) for score in scores) == [False, True]


async def test_a_product_shows_its_history_and_why_it_changed(ask: Avault, discovery: Any) -> None:
    """From the ASIN to its scores, from there to the lines that differ."""
    names = []
    for strategy in (pb.STRATEGY_BALANCED, pb.STRATEGY_TEXTBOOKS_PATIENCE):
        options = pb.ScoringOptions(strategy=strategy)
        request = pb.ScoreProductsRequest(
            request_id=str(uuid4()), asins=[asin(77)], options=options
        )
        names += [part.score.name async for part in discovery.ScoreProducts(request)][:1]

    told = await asyncio.gather(ask("history", asin(77)), ask("compare", names[1]))
    (former, _), ((answer,), _) = told

    assert [score["name"] for score in former] == names[::-1]
    assert answer["other"]["name"] == names[0]
    changed = {line["key"] for line in answer["differences"] if line.get("input")}
    assert "buffer_percent" in changed
