"""Scoring against reading the same bytes, and answers from the cache against answers from Keepa.

Scoring is measured in this process, on two fixed products, by the processor's time and not by
the clock, so that nothing else that runs counts. Searches are measured through gRPC
against a process that runs discovery, the gateway, budget and Keepa's stand-in, which takes as
long as Keepa was seen to take: half a second to a second for a search.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import grpc.aio
import msgspec
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.discovery.v1.discovery_pb2_grpc import DiscoveryServiceStub
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from deploy.local.nats import Nats
from deploy.local.postgres import Postgres
from services.chassis import migrate, sql, telemetry
from services.chassis.loops import supervise
from services.chassis.testing.serving import serve
from services.discovery import app
from services.discovery.api import responses
from services.discovery.clients.facts import facts
from services.discovery.domain.answers import Fetched, Status, appraisal
from services.discovery.domain.product import ProductFacts
from services.discovery.domain.scoring.score import score
from services.discovery.domain.scoring.terms import Terms
from services.discovery.settings import Settings
from services.keepa_gateway.domain.product import decode
from services.keepa_gateway.storage.packing import message
from tests.bench import corpus, harness
from tests.bench.harness import Call, Figure, Sample, Samples, Variant
from tests.integration.discovery.whole import world

SERVICES = ("budget", "keepa_gateway", "discovery")
CALLERS = 16
WRITERS = 10
RESULTS = 20
REPEATED = 10
FIRST_SCORES = 3_000
"""Scores a second and core that are asked for."""

Work = Callable[[], object]


async def measure(rounds: int, seconds: float) -> list[Figure]:
    """Measure the part."""
    figures = _scoring(rounds, seconds)
    with Postgres.start() as postgres, Nats.start() as nats:
        await migrate.migrate(postgres.url, list(SERVICES))
        async with (
            harness.server(__name__, postgres.url, nats.url) as address,
            harness.channels(address) as channels,
        ):
            return figures + await _searching(channels, rounds, seconds)


def _scoring(rounds: int, seconds: float) -> list[Figure]:
    """Measure one product a call, in one thread."""
    small, large = corpus.small(), corpus.large()
    both = [_score(_decoded(small)), _score(_decoded(large))]
    works: dict[str, tuple[Work, int]] = {
        "JSON decode, 20 kB": (lambda: msgspec.json.decode(small), 1),
        "JSON decode, 239 kB": (lambda: msgspec.json.decode(large), 1),
        "score, 20 kB": (both[0], 1),
        "score, 239 kB": (both[1], 1),
        "score, both sizes": (lambda: [work() for work in both], 2),
        "message to answer, 20 kB": (_answer(small), 1),
        "message to answer, 239 kB": (_answer(large), 1),
        "Keepa's JSON to answer, 239 kB": (_whole(large), 1),
    }
    samples: dict[str, list[Sample]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, (work, units) in works.items():
            taken = _loop(work, units, min(seconds, 1.0))
            if number:
                samples[name].append(taken)
    return _scoring_figures(samples)


def _scoring_figures(samples: Samples) -> list[Figure]:
    figures = []
    for size in ("20 kB", "239 kB"):
        some = {name: taken for name, taken in samples.items() if name.endswith(size)}
        figures += harness.medians(some, "one core", f"JSON decode, {size}")
    against = ("3,000 a second", float(FIRST_SCORES))
    taken = samples["score, both sizes"]
    rate = sorted(one.rate for one in taken)[len(taken) // 2]
    return [
        *figures,
        harness.figure("scores of both sizes, one core", taken, rate, against, "products/s"),
    ]


def _loop(work: Work, units: int, seconds: float) -> Sample:
    """Work over and over, by this thread's own time."""
    latencies: list[float] = []
    began = at = time.thread_time()
    while at < began + seconds:
        work()
        done = time.thread_time()
        latencies.append(done - at)
        at = done
    return harness.sample(latencies, units * len(latencies) / (at - began))


def _decoded(raw: bytes) -> ProductFacts:
    return facts(message(decode(raw).product))


def _score(product: ProductFacts) -> Work:
    assert product.updated_at is not None
    terms, as_of = Terms(), product.updated_at
    return lambda: score(product, terms, as_of)


def _answer(raw: bytes) -> Work:
    """Go from the gateway's message, as it comes over the wire, to the answer's."""
    stored = message(decode(raw).product).SerializeToString()
    return lambda: _told(facts(keepa.Product.FromString(stored)))


def _whole(raw: bytes) -> Work:
    """Go the whole way, of which the gateway does the first part once in 24 hours."""
    return lambda: _told(_decoded(raw))


def _told(product: ProductFacts) -> bytes:
    assert product.updated_at is not None
    fetched = Fetched(asin=product.asin, status=Status.FOUND, facts=product)
    scored = score(product, Terms(), product.updated_at)
    return responses.appraisal(appraisal(fetched, scored)).SerializeToString()


async def _searching(channels: list[grpc.aio.Channel], rounds: int, seconds: float) -> list[Figure]:
    searches = [Searches(DiscoveryServiceStub(channel)) for channel in channels]
    figures: list[Figure] = []
    for name, hit, miss in (
        ("a search", Searches.hit, Searches.miss),
        (f"a search of {RESULTS} scored", Searches.scored_hit, Searches.scored_miss),
    ):
        stored, fetched = f"{name} from the cache", f"{name} from Keepa"
        variants = {
            stored: Variant(_calls(searches, hit)),
            fetched: Variant(_calls(searches, miss)),
        }
        samples = await harness.interleaved(variants, 1, rounds, seconds)
        figures += harness.medians(samples, "1 caller", fetched)
        figures.append(_against(samples[stored], f"{name} from the cache, 1 caller", 50.0))
        figures.append(_against(samples[fetched], f"{name} from Keepa, 1 caller", 2000.0))
    return [*figures, *await _loaded(searches, rounds, seconds), await _tokens(searches[0])]


async def _loaded(searches: "Sequence[Searches]", rounds: int, seconds: float) -> list[Figure]:
    """Measure many callers at once, against the rate and the write of the first product."""
    hits = {"hits": Variant(_calls(searches, Searches.hit))}
    writes = {"writes": Variant(_calls(searches, Searches.write))}
    read = (await harness.interleaved(hits, CALLERS, rounds, seconds))["hits"]
    wrote = (await harness.interleaved(writes, WRITERS, rounds, seconds))["writes"]
    rate = sorted(one.rate for one in read)[len(read) // 2]
    return [
        harness.figure(
            f"a search from the cache, {CALLERS} callers",
            read,
            rate,
            ("the first product, 10/s", 10.0),
            "calls/s",
        ),
        _against(wrote, f"a write, {WRITERS} callers", 90.0),
    ]


async def _tokens(searches: "Searches") -> Figure:
    """Ask the same search ten times; the first product saved 70 % of the tokens by its cache."""
    spent = [await searches.repeated() for _ in range(REPEATED)]
    unstored = float(spent[0] * REPEATED)
    return Figure(
        name=f"tokens of {REPEATED} equal searches",
        value=float(sum(spent)),
        baseline="without a cache",
        ratio=round(sum(spent) / unstored, 3),
        unit="tokens",
        p50_ms=0.0,
        p99_ms=0.0,
        rounds=1,
    )


def _against(taken: Sequence[Sample], name: str, first: float) -> Figure:
    """Compare with what the first product took."""
    middle = sorted(one.p50_ms for one in taken)[len(taken) // 2]
    return harness.figure(name, taken, middle, (f"the first product, {first:.0f} ms", first))


def _calls(searches: "Sequence[Searches]", method: "Callable[[Searches], Any]") -> list[Call]:
    return [lambda one=one: method(one) for one in searches]  # type: ignore[misc]


class Searches:
    """What one caller asks."""

    _asked = 0

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    async def hit(self) -> None:
        """Ask what everybody asks."""
        answer = await self._found(pb.DiscoveryFilter(max_results=RESULTS))
        assert len(answer.asins) == RESULTS

    async def miss(self) -> None:
        """Ask what nobody has asked before."""
        answer = await self._found(self._new())
        assert not answer.info.cache_hit

    async def scored_hit(self) -> None:
        """Ask for scores that everybody asks for."""
        await self._scored(pb.DiscoveryFilter(max_results=RESULTS), anew=False)

    async def scored_miss(self) -> None:
        """Ask for scores, of products that are fetched again."""
        answer = await self._scored(self._new(), anew=True)
        assert answer.info.token_count > RESULTS

    async def write(self) -> None:
        """Keep something for ever."""
        request = pb.SaveFavoriteRequest(request_id=str(uuid4()), asin="B000000001")
        await self._stub.SaveFavorite(request)

    async def repeated(self) -> int:
        """Ask one question of its own, and tell what it cost."""
        wanted = pb.DiscoveryFilter(max_results=RESULTS, rank_range=pb.RankRange(maximum=900_000))
        return (await self._found(wanted)).info.token_count

    def _new(self) -> pb.DiscoveryFilter:
        Searches._asked += 1
        worst = 1_000_000 + Searches._asked
        return pb.DiscoveryFilter(max_results=RESULTS, rank_range=pb.RankRange(maximum=worst))

    async def _found(self, wanted: pb.DiscoveryFilter) -> pb.DiscoverProductsResponse:
        request = pb.DiscoverProductsRequest(request_id=str(uuid4()), filter=wanted)
        answer: pb.DiscoverProductsResponse = await self._stub.DiscoverProducts(request)
        return answer

    async def _scored(
        self, wanted: pb.DiscoveryFilter, *, anew: bool
    ) -> pb.DiscoverScoredProductsResponse:
        request = pb.DiscoverScoredProductsRequest(
            request_id=str(uuid4()), filter=wanted, force_refresh=anew
        )
        answer: pb.DiscoverScoredProductsResponse
        answer = await self._stub.DiscoverScoredProducts(request)
        return answer


async def _serve(database_url: str, nats_url: str) -> None:
    """Serve discovery with everything behind it; Keepa's stand-in answers as slowly as Keepa."""

    def role(service: str) -> str:
        return sql.role_url(database_url, service)

    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(world(role, nats_url, latency=1.0))
        given: dict[str, Any] = {
            "port": 0,
            "database_url": role("discovery"),
            "nats_url": nats_url,
            "keepa_gateway_target": made.gateway.address,
            "budget_target": made.budget.address,
        }
        settings = Settings(**given)
        service = await app.build(settings, stack)
        served = await stack.enter_async_context(
            serve(service.register, service="discovery", full_names=service.full_names)
        )
        sys.stdout.write(f"{served.address}\n")
        sys.stdout.flush()
        await asyncio.gather(*(supervise(loop) for loop in service.loops))


if __name__ == "__main__":
    telemetry.configure_logging(SimpleNamespace(log_level="WARNING", log_format="console"))
    harness.run(_serve(*sys.argv[2:]))
