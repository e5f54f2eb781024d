"""Claims about deals and sellers, against a server that answers as recorded."""

import asyncio
import json
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.testing.engines import Databases
from tests.integration.keepa_gateway.conftest import builder
from tests.integration.keepa_gateway.world import BOOKS, Sandbox, World
from tests.support import refusal

pytestmark = pytest.mark.anyio

SHARED = Path(os.environ.get("AV_SHARED", Path(__file__).parents[4] / "shared"))
DEALS = SHARED / "keepa_samples" / "deals_us_books_20250501_response.json"
SELLER = {
    "sellerId": "A33EGCJZUE9VE2",
    "sellerName": "Lone$tar Deal",
    "domainId": 1,
    "trackedSince": 6042004,
    "csv": [[6042004, 97], [6042004, 1200]],
    "currentRating": 97,
    "hasFBA": True,
    "competitors": [{"percent": 18, "sellerId": "ATVPDKIKX0DER"}],
    "sellerBrandStatistics": [{"brand": "puffin", "productCount": 113, "avg30SalesRank": 33971}],
    "address": ["Canary Street 1"],
    "totalStorefrontAsins": [6042004, 2],
    "asinList": ["0593655036", "0470820942"],
    "asinListLastSeen": [6042004, 6042005],
}
LIGHTNING = [
    {"asin": f"B{n:09d}", "domainId": 1, "dealState": state, "dealPrice": 100 + n}
    for n, state in enumerate(["AVAILABLE"] * 7 + ["SOLDOUT"] * 3)
]


class Stand:
    """Answers paths with prepared bodies, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, list[str]], bytes]] = []
        self.left = 1_000
        self.bodies: dict[str, tuple[int, dict[str, Any]]] = {
            "token": (0, {}),
            "seller": (1, {"sellers": {SELLER["sellerId"]: SELLER}}),
            "topseller": (50, {"sellerIdList": [f"A{n:013d}" for n in range(2_500)]}),
            "sellerquery": (11, {"sellerIdList": ["A33EGCJZUE9VE2"], "totalResults": 1}),
            "lightningdeal": (1, {"lightningDeals": LIGHTNING}),
        }
        if DEALS.exists():
            self.bodies["deal"] = (5, {"deals": json.loads(DEALS.read_text())["deals"]})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = [
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        ]
        body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
        url = urlsplit(head.split()[1].decode())
        path = url.path.strip("/")
        consumed, fields = self.bodies[path]
        self.left -= consumed
        self.asked.append((path, parse_qs(url.query), body))
        envelope = {
            "timestamp": round(time.time() * 1000),
            "processingTimeInMs": 1,
            "refillIn": 30_000,
            "refillRate": 20,
            "tokenFlowReduction": 0.0,
            "tokensConsumed": consumed,
            "tokensLeft": self.left,
        }
        answer = json.dumps({**envelope, **fields}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n")
        writer.write(f"Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
        await writer.drain()
        writer.close()

    def paths(self) -> list[str]:
        """What was asked, balances left out."""
        return [path for path, _, _ in self.asked if path != "token"]


@asynccontextmanager
async def standing() -> AsyncIterator[tuple[Stand, str]]:
    stand = Stand()
    server = await asyncio.start_server(stand.serve, "127.0.0.1", 0)
    try:
        yield stand, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.fixture
async def stood(databases: Databases, nats_server: str) -> AsyncIterator[tuple[World, Stand]]:
    """A world whose Keepa answers as told."""
    async with AsyncExitStack() as stack:
        stand, url = await stack.enter_async_context(standing())
        BOOKS[url] = []
        process: Any = None
        sandbox = Sandbox(process, url)
        yield await builder(databases, nats_server, stack)(sandbox), stand


def ided(make: Callable[..., Any], **fields: object) -> Any:
    return make(request_id=str(uuid.uuid4()), **fields)


@pytest.mark.skipif(not DEALS.exists(), reason="the recorded answers are not at hand")
async def test_a_page_of_deals_is_asked_for_as_keepa_wants_it(stood: tuple[World, Stand]) -> None:
    """The body must be the selection itself, with exactly one price type."""
    world, stand = stood
    selection = pb.DealSelection(
        price_type="USED",
        interval=pb.DEAL_INTERVAL_QUARTER,
        category_ids=[283155],
        change_percent_range=pb.ValueRange(minimum=50),
        current_range=pb.ValueRange(minimum=2000, maximum=30100),
        sales_rank_range=pb.ValueRange(minimum=50_000),
        order=pb.DEAL_ORDER_CHANGE_PERCENT,
    )

    page = await world.gateway.ListDeals(ided(pb.ListDealsRequest, selection=selection))
    again = await world.gateway.ListDeals(ided(pb.ListDealsRequest, selection=selection))

    assert (len(page.deals), page.more, page.token_count) == (150, True, 5)
    assert (again.token_count, again.cached) == (0, True)
    assert stand.paths() == ["deal"]
    sent = json.loads(stand.asked[-1][2])
    assert sent["priceTypes"] == [2]
    assert sent["dateRange"] == 3
    assert sent["sortType"] == 4
    assert sent["deltaPercentRange"] == [50, 2147483647]
    assert sent["salesRankRange"] == [50_000, -1]
    assert sent["isRangeEnabled"] is True
    used = {row.name: row for row in page.deals[0].series}["USED"]
    assert used.changes
    assert page.deals[0].image_url.startswith("https://")
    counts = [row.deal_count for row in page.categories]
    assert counts == sorted(counts, reverse=True)
    assert (await world.account()).held_token_count == 0


async def test_a_deal_selection_keepa_would_not_take_is_refused_here(
    stood: tuple[World, Stand],
) -> None:
    world, stand = stood
    selection = pb.DealSelection(price_type="SALES", change_percent_range=pb.ValueRange(minimum=10))
    selection.extra["priceTypes"] = 1

    refused = await refusal(world.gateway.ListDeals(ided(pb.ListDealsRequest, selection=selection)))

    fields = {violation.field for violation in refused.violations}
    assert fields == {"selection.change_percent_range", "selection.extra.priceTypes"}
    assert stand.paths() == []


async def test_sellers_come_without_personal_data(stood: tuple[World, Stand]) -> None:
    """An address is neither passed on nor stored."""
    world, stand = stood
    known, unknown = "A33EGCJZUE9VE2", "A00000000000X"

    answer = await world.gateway.GetSellers(ided(pb.GetSellersRequest, seller_ids=[unknown, known]))

    (seller,) = answer.sellers
    assert (seller.id, seller.display_name, seller.rating_percent) == (known, "Lone$tar Deal", 97)
    assert list(answer.missing_seller_ids) == [unknown]
    assert answer.token_count == 1
    assert [series.name for series in seller.series] == ["RATING", "RATING_COUNT"]
    assert seller.storefront_count == 2
    assert stand.asked[-1][1]["seller"] == [f"{unknown},{known}"]
    assert "Canary" not in str(answer)


async def test_pages_of_a_list_are_paid_once(stood: tuple[World, Stand]) -> None:
    world, stand = stood
    first = await world.gateway.ListTopSellers(ided(pb.ListTopSellersRequest))
    found, token = list(first.seller_ids), first.next_page_token
    while token:
        page = await world.gateway.ListTopSellers(ided(pb.ListTopSellersRequest, page_token=token))
        assert page.token_count == 0
        found += page.seller_ids
        token = page.next_page_token

    assert first.token_count == 50
    assert len(found) == len(set(found)) == first.total_count == 2_500
    assert stand.paths() == ["topseller"]


async def test_a_page_token_belongs_to_its_request(stood: tuple[World, Stand]) -> None:
    world, _ = stood
    first = await world.gateway.ListTopSellers(ided(pb.ListTopSellersRequest, page_size=10))

    for token, domain in (("nonsense", 1), (first.next_page_token, 2)):
        refused = await refusal(
            world.gateway.ListTopSellers(
                ided(pb.ListTopSellersRequest, page_token=token, domain=domain)
            )
        )
        assert [one.field for one in refused.violations] == ["page_token"]


async def test_sellers_are_found_by_their_properties(stood: tuple[World, Stand]) -> None:
    world, stand = stood
    selection = pb.SellerSelection()
    selection.ranges.add(field="currentRatingCount", minimum=100)

    answer = await world.gateway.FindSellers(ided(pb.FindSellersRequest, selection=selection))

    assert (list(answer.seller_ids), answer.total_count) == (["A33EGCJZUE9VE2"], 1)
    assert answer.token_count == 11
    sent = json.loads(stand.asked[-1][2])
    assert sent == {"currentRatingCount_gte": 100, "page": 0, "perPage": 50}


async def test_lightning_deals_are_filtered_without_paying_again(
    stood: tuple[World, Stand],
) -> None:
    world, stand = stood
    asin = "0593655036"

    every = await world.gateway.ListLightningDeals(ided(pb.ListLightningDealsRequest, asin=asin))
    sold = await world.gateway.ListLightningDeals(
        ided(
            pb.ListLightningDealsRequest,
            asin=asin,
            state=pb.LIGHTNING_DEAL_STATE_SOLD_OUT,
            page_size=2,
        )
    )

    assert (every.total_count, every.token_count) == (10, 1)
    assert (len(sold.deals), sold.total_count, sold.token_count) == (2, 3, 0)
    assert sold.next_page_token
    assert stand.paths() == ["lightningdeal"]


async def test_every_request_has_its_price(stood: tuple[World, Stand]) -> None:
    """G9, for the calls that cost most: 500 tokens need a yes and are told before."""
    world, stand = stood
    full = ided(pb.ListLightningDealsRequest, full_list=True)
    sellers = ided(pb.GetSellersRequest, seller_ids=["A33EGCJZUE9VE2"], storefront=True)
    estimates = [
        pb.EstimateCostRequest(lightning_deals=full),
        pb.EstimateCostRequest(sellers=sellers),
        pb.EstimateCostRequest(top_sellers=ided(pb.ListTopSellersRequest)),
    ]

    most = [(await world.gateway.EstimateCost(one)).most_token_count for one in estimates]

    assert most == [500, 10, 50]
    assert stand.paths() == []
