"""Decoding large books: how fast beside a bare JSON parser, and how long the loop stands still."""

import asyncio
import importlib
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import msgspec

from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.product import decode
from services.keepa_gateway.domain.products_request import ProductOptions, ProductsRequest
from services.keepa_gateway.ports import Reply
from services.keepa_gateway.storage.packing import pack
from services.keepa_gateway.usecases import harvesting
from services.keepa_gateway.usecases.reading import read
from tests.bench import harness
from tests.bench.harness import Figure, Sample

SAMPLES = harness.ROOT.parent / "shared" / "keepa_samples"
RECORDED = "product_us_book_0593655036_response.json"
BOOKS = 100
SERIES, POINTS = 10, 1_300


def book(number: int) -> dict[str, Any]:
    """A large book, about 240 kB: a recorded one under another ASIN, or an invented one."""
    asin = f"B{number:09d}"
    if (SAMPLES / RECORDED).exists():
        recorded = json.loads((SAMPLES / RECORDED).read_text(encoding="utf-8"))["products"][0]
        return {**recorded, "asin": asin, "eanList": None, "upcList": None, "gtinList": None}
    series = [7_000_000 + step // 2 * 60 if step % 2 == 0 else step for step in range(2 * POINTS)]
    csv = [series if place < SERIES else None for place in range(36)]
    return {
        "asin": asin,
        "domainId": 1,
        "productType": 0,
        "title": f"A Large Book, {number}",
        "rootCategory": 283155,
        "csv": csv,
        "lastUpdate": 7_775_880,
        "stats": {"current": [number] * 36, "avg90": [number] * 36},
    }


def catalogue(folder: Path, count: int) -> None:
    """Write large books where the stand-in reads recorded ones."""
    books = [book(number) for number in range(count)]
    (folder / "books.json").write_text(json.dumps(books), encoding="utf-8")


def body(count: int) -> bytes:
    """A whole answer with so many large books."""
    now = round(datetime.now(UTC).timestamp() * 1000)
    answer = {
        "timestamp": now,
        "tokensLeft": 1000,
        "refillIn": 100,
        "refillRate": 60,
        "tokenFlowReduction": 0.0,
        "tokensConsumed": count,
        "processingTimeInMs": 5,
        "products": [book(number) for number in range(count)],
    }
    return json.dumps(answer, separators=(",", ":")).encode()


async def measure(rounds: int) -> list[Figure]:
    """Measure the decoding of 100 large books."""
    whole = body(BOOKS)
    raws = [json.dumps(book(number), separators=(",", ":")).encode() for number in range(BOOKS)]
    bare: dict[str, Callable[[bytes], object]] = {
        "json.loads": json.loads,
        "msgspec untyped": msgspec.json.decode,
    }
    if importlib.util.find_spec("orjson"):
        bare["orjson.loads"] = importlib.import_module("orjson").loads
    taken: dict[str, list[float]] = {}
    gaps: list[float] = []
    for _ in range(rounds):
        for name, parse in bare.items():
            taken.setdefault(name, []).append(_timed(lambda parse=parse: parse(whole)))
        taken.setdefault("typed decode", []).append(_timed(lambda: [decode(raw) for raw in raws]))
        took, gap = await _harvested(whole)
        taken.setdefault("cut, decode and pack", []).append(took)
        gaps.append(gap)
    return [*_lines(taken, len(whole)), _line("longest stop of the loop meanwhile", gaps)]


def _timed(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


async def _harvested(whole: bytes) -> tuple[float, float]:
    """Do what the gateway does with an answer; a second task tells when the loop stood still."""
    request = ProductsRequest(
        domain=1,
        asins=tuple(f"B{number:09d}" for number in range(BOOKS)),
        options=ProductOptions(history=True),
    )
    call: Call = request.call()
    now = datetime.now(UTC)
    longest, running = 0.0, True

    async def tick() -> None:
        nonlocal longest
        last = perf_counter()
        while running:
            await asyncio.sleep(0)
            now = perf_counter()
            longest, last = max(longest, now - last), now

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    began = perf_counter()
    reading = await read(call, Reply(200, whole), now)
    way: Any = SimpleNamespace(now=lambda: now)
    harvest = await harvesting.products(request, pack, way)(reading, request.asins)
    took = perf_counter() - began
    assert len(harvest.snapshots) == BOOKS
    running = False
    await ticking
    return took, longest


def _lines(taken: dict[str, list[float]], size: int) -> list[Figure]:
    baseline = "orjson.loads" if "orjson.loads" in taken else "json.loads"
    by = sorted(taken[baseline])[len(taken[baseline]) // 2] * 1e3
    packed = len(zlib.compress(body(1), 6)) * BOOKS
    setting = f"{BOOKS} books, {size / 1e6:.0f} MB ({packed / 1e6:.0f} MB gzip)"
    return [
        _line(f"{name}, {setting}", seconds, (baseline, by))
        for name, seconds in taken.items()
        if name != baseline
    ]


def _line(name: str, seconds: list[float], baseline: tuple[str, float] = ("", 0.0)) -> Figure:
    samples = [Sample(rate=1 / each, p50_ms=1e3 * each, p99_ms=1e3 * each) for each in seconds]
    middle = sorted(seconds)[len(seconds) // 2] * 1e3
    return harness.figure(name, samples, middle, baseline)
