"""An answer of a hundred products never holds the event loop for longer than one of them takes."""

import asyncio
import zlib
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from services.keepa_gateway.clients.keepa import _inflated
from services.keepa_gateway.domain.product import KeepaProduct
from services.keepa_gateway.domain.products_request import ProductsRequest
from services.keepa_gateway.ports import Reply
from services.keepa_gateway.usecases import harvesting, reading

pytestmark = pytest.mark.anyio

BOOKS = 40


class Meter:
    """Counts the turns of the loop, and how much was done in the busiest of them."""

    def __init__(self) -> None:
        self.turn = 0
        self.done: dict[int, int] = {}

    def count(self, amount: int = 1) -> None:
        """Note some work of this turn."""
        self.done[self.turn] = self.done.get(self.turn, 0) + amount

    async def run(self) -> None:
        """Turn for ever."""
        while True:
            self.turn += 1
            await asyncio.sleep(0)

    @property
    def busiest(self) -> int:
        """The most that was done within one turn."""
        return max(self.done.values())


def answer(points: int) -> tuple[ProductsRequest, bytes]:
    """A whole answer of books with so long a history."""
    asins = tuple(f"B{number:09d}" for number in range(BOOKS))
    history = [7_000_000 + place for place in range(points)]
    products = [{"asin": asin, "csv": [history] * 3} for asin in asins]
    body = {
        "timestamp": round(datetime.now(UTC).timestamp() * 1000),
        "tokensLeft": 100,
        "refillIn": 100,
        "refillRate": 20,
        "tokensConsumed": BOOKS,
        "processingTimeInMs": 1,
        "products": products,
    }
    return ProductsRequest(domain=1, asins=asins), msgspec.json.encode(body)


@pytest.mark.parametrize("points", [20, 10_000])
async def test_one_product_a_turn(points: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cutting and decoding 24 MB in one go would stop every other caller for a second."""
    meter = Meter()
    request, body = answer(points)
    cut = reading.Slices.__iter__

    def counted(slices: reading.Slices) -> Any:
        for raw in cut(slices):
            meter.count()
            yield raw

    def pack(product: KeepaProduct) -> bytes:
        meter.count()
        return product.asin.encode()

    monkeypatch.setattr(reading.Slices, "__iter__", counted)
    turning = asyncio.create_task(meter.run())
    await asyncio.sleep(0)
    now = datetime.now(UTC)
    read = await reading.read(request.call(), Reply(200, body), now)
    way: Any = SimpleNamespace(now=lambda: now)
    harvest = await harvesting.products(request, pack, way)(read, request.asins)
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)

    assert len(harvest.snapshots) == BOOKS
    assert sum(meter.done.values()) == 2 * BOOKS
    assert meter.busiest == 1


def test_a_received_chunk_is_inflated_piece_by_piece() -> None:
    """291 KB of gzip became 300 MB: the cap must be met between two pieces, not after all."""
    packed = zlib.compress(b"0" * (64 << 20))
    pieces = _inflated(zlib.decompressobj(), packed)

    assert len(next(pieces)) <= 1 << 20
