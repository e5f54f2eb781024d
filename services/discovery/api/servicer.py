"""DiscoveryService over gRPC: translate, ask, translate."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2_grpc
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2

from services.chassis.clock import Clock
from services.chassis.rpc.call import Context
from services.discovery.api import requests, requests_pages, responses
from services.discovery.api.servicer_config import ConfigMethods
from services.discovery.api.servicer_exports import ExportMethods
from services.discovery.api.servicer_kept import KeptMethods
from services.discovery.api.servicer_niches import NicheMethods
from services.discovery.api.servicer_products import ProductMethods
from services.discovery.api.servicer_views import ViewMethods
from services.discovery.domain.looking import CLOSE_TOKENS
from services.discovery.usecases.blocking import Blocker
from services.discovery.usecases.checking import Checker
from services.discovery.usecases.configuring import Configurator
from services.discovery.usecases.estimating import Estimate, Estimator
from services.discovery.usecases.exporting import Exporter
from services.discovery.usecases.keeping import Keeper
from services.discovery.usecases.purging import Purger
from services.discovery.usecases.reading import Reader
from services.discovery.usecases.scouting import Scout
from services.discovery.usecases.searching import Ended, SearchDesk
from services.discovery.usecases.viewing import Viewer

PREVIOUS = "scores/-"
"""Stands for the newest older score of the same product."""


class DiscoveryServicer(
    ProductMethods,
    ConfigMethods,
    ExportMethods,
    KeptMethods,
    NicheMethods,
    ViewMethods,
    discovery_pb2_grpc.DiscoveryServiceServicer,
):
    """Translates between the contract and the use cases; decides nothing itself."""

    def __init__(
        self,
        desk: SearchDesk,
        estimator: Estimator,
        reader: Reader,
        *,
        keeper: Keeper,
        blocker: Blocker,
        purger: Purger,
        configurator: Configurator,
        exporter: Exporter,
        scout: Scout,
        viewer: Viewer,
        checker: Checker,
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._estimator = estimator
        self._reader = reader
        self._keeper = keeper
        self._blocker = blocker
        self._purger = purger
        self._configurator = configurator
        self._exporter = exporter
        self._scout = scout
        self._viewer = viewer
        self._checker = checker
        self._clock = clock

    async def DiscoverProducts(
        self, request: pb.DiscoverProductsRequest, _: Context
    ) -> pb.DiscoverProductsResponse:
        """Find ASINs that match a filter."""
        wanted = requests.filter_of(request.filter)
        found = await self._desk.discover(requests.search(request), wanted)
        return pb.DiscoverProductsResponse(
            asins=found.listing.asins,
            total_count=found.listing.total,
            filter=responses.filter_of(wanted),
            blocked_asins=found.listing.blocked,
            info=responses.info(found.tally, found.seconds, self._clock.now()),
        )

    async def ScoreProducts(
        self, request: pb.ScoreProductsRequest, _: Context
    ) -> AsyncGenerator[pb.ScoreProductsResponse]:
        """Score given products, one message each as they become known."""
        parts = self._desk.score(
            requests.search(request),
            requests.domain(request.domain),
            requests.asins(request.asins),
            requests.options(request.options),
        )
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, Ended):
                    info = responses.info(part.tally, part.seconds, self._clock.now())
                    yield pb.ScoreProductsResponse(info=info)
                else:
                    for one in part:
                        yield pb.ScoreProductsResponse(score=responses.appraisal(one))

    async def DiscoverScoredProducts(
        self, request: pb.DiscoverScoredProductsRequest, _: Context
    ) -> pb.DiscoverScoredProductsResponse:
        """Find products and score them, best first."""
        wanted = requests.filter_of(request.filter)
        options = requests.options(request.options, request.filter.condition)
        ranked = await self._desk.discover_scored(
            requests.search(request), wanted, options, least_rung=request.minimum_recommendation
        )
        return pb.DiscoverScoredProductsResponse(
            scores=[responses.appraisal(one) for one in ranked.appraisals],
            total_count=ranked.total,
            filter=responses.filter_of(wanted),
            blocked_asins=ranked.blocked,
            info=responses.info(ranked.tally, ranked.seconds, self._clock.now()),
        )

    async def EstimateDiscovery(
        self, request: pb.EstimateDiscoveryRequest, _: Context
    ) -> pb.EstimateDiscoveryResponse:
        """Say what a search would cost; spend nothing."""
        estimate = await self._estimate(request)
        return pb.EstimateDiscoveryResponse(
            search_token_count=estimate.search,
            product_token_count=estimate.products,
            most_token_count=estimate.most,
            offer_token_count=_offer_tokens(request),
            search_cached=estimate.search_stored,
            cached_count=estimate.stored,
        )

    async def ExplainScore(
        self, request: pb.ExplainScoreRequest, _: Context
    ) -> pb.ExplainScoreResponse:
        """Read one score with everything that is needed to redo it by hand."""
        other = request.compare_to
        explained = await self._reader.explain(
            requests.identity(request.name),
            other_id=requests.identity(other, "compare_to")
            if other and other != PREVIOUS
            else None,
            before=other == PREVIOUS,
        )
        assert explained.appraisal.score is not None
        return pb.ExplainScoreResponse(
            score=responses.appraisal(explained.appraisal),
            inputs=responses.inputs(explained.appraisal.score),
            steps=explained.steps,
            lines=[responses.score_line(one) for one in explained.lines],
            other=None if explained.other is None else responses.appraisal(explained.other),
            differences=[responses.score_difference(one) for one in explained.differences],
        )

    async def ListScores(self, request: pb.ListScoresRequest, _: Context) -> pb.ListScoresResponse:
        """List stored scores, best first, or those of one product over time."""
        size = requests_pages.size(request.page_size)
        after = requests_pages.place(request, request.page_token)
        if request.include_former:
            page = await self._reader.former_scores(request.asin, size=size, after=after)
        else:
            page = await self._reader.scores(
                request.asin, request.minimum_recommendation, size=size, after=after
            )
        return pb.ListScoresResponse(
            scores=[responses.appraisal(one) for one in page.items],
            next_page_token=requests_pages.token(request, page.next_place),
            unreachable=page.unreadable,
        )

    async def ListSearches(
        self, request: pb.ListSearchesRequest, _: Context
    ) -> pb.ListSearchesResponse:
        """List former searches, newest first."""
        page = await self._reader.searches(
            requests.KINDS.get(request.kind),
            request.job,
            size=requests_pages.size(request.page_size),
            after=requests_pages.place(request, request.page_token),
        )
        return pb.ListSearchesResponse(
            searches=[responses.search(one) for one in page.items],
            next_page_token=requests_pages.token(request, page.next_place),
            unreachable=page.unreadable,
        )

    async def GetCacheHealth(
        self, _request: pb.GetCacheHealthRequest, _: Context
    ) -> pb.GetCacheHealthResponse:
        """Say how well the caches serve."""
        found = await self._reader.health()
        return pb.GetCacheHealthResponse(caches=[responses.cache_health(one) for one in found])

    async def PurgeCache(self, request: pb.PurgeCacheRequest, _: Context) -> pb.PurgeCacheResponse:
        """Delete cache entries: expired ones, or all."""
        gone = await self._purger.purge(
            requests.ask(request.request_id), request.cache, include_fresh=request.include_fresh
        )
        return pb.PurgeCacheResponse(purged_count=gone.entries, purged_bytes=gone.size_bytes)

    async def _estimate(self, request: pb.EstimateDiscoveryRequest) -> Estimate:
        force = request.force_refresh
        if request.WhichOneof("subject") == "filter":
            wanted = requests.filter_of(request.filter)
            return await self._estimator.search(wanted, request.scored_count, force_refresh=force)
        market = requests.domain(request.asins.domain or keepa_gateway_pb2.DOMAIN_COM)
        return await self._estimator.products(
            market, requests.asins(request.asins.asins, "asins.asins"), force_refresh=force
        )


def _offer_tokens(request: pb.EstimateDiscoveryRequest) -> int:
    """Bound a second pass: no more candidates than products."""
    by_filter = request.WhichOneof("subject") == "filter"
    products = request.scored_count if by_filter else len(request.asins.asins)
    return CLOSE_TOKENS * min(request.offer_check_count, products)
