"""The methods of DiscoveryService about one product: its numbers, its stock, and a second look."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.clock import Clock
from services.chassis.rpc.call import Context
from services.discovery.api import requests, requests_products, responses, responses_products
from services.discovery.usecases.checking import Checker, Effort


class ProductMethods:
    """The part of the servicer that answers about one product at a time."""

    _checker: Checker
    _clock: Clock

    async def GetProductMetrics(
        self, request: pb.GetProductMetricsRequest, _: Context
    ) -> pb.GetProductMetricsResponse:
        """Read what is known of one product."""
        market = requests.domain(request.domain)
        measured = await self._checker.metrics(
            requests.request(request),
            market,
            requests.asin(request.asin),
            requests_products.condition(request.condition),
        )
        told = responses_products.metrics(measured, market)
        if request.include_series:
            told.series.extend(responses_products.series(measured.metrics.facts))
        return pb.GetProductMetricsResponse(metrics=told, info=self._info(measured.effort))

    async def EstimateStock(
        self, request: pb.EstimateStockRequest, _: Context
    ) -> pb.EstimateStockResponse:
        """Estimate how many units are for sale near a price."""
        counted = await self._checker.stock(
            requests.request(request),
            requests.domain(request.domain),
            requests.asin(request.asin),
            requests_products.condition(request.condition),
            request.target_cents,
        )
        return pb.EstimateStockResponse(
            estimate=responses_products.estimate(counted), info=self._info(counted.effort)
        )

    async def VerifyProduct(
        self, request: pb.VerifyProductRequest, _: Context
    ) -> pb.VerifyProductResponse:
        """Compare a product with what it was when somebody decided to buy it."""
        found = await self._checker.verify(
            requests_products.second_look(request),
            requests.domain(request.domain),
            requests.asin(request.asin),
            requests_products.decision(request),
        )
        return pb.VerifyProductResponse(
            verdict=responses_products.VERDICTS[found.verdict],
            message=found.message,
            changes=[responses_products.change(one) for one in found.changes],
            baseline=responses_products.baseline(found.then),
            score=responses.appraisal(found.now),
            info=self._info(found.effort),
        )

    def _info(self, effort: Effort) -> pb.SearchInfo:
        return responses.info(effort.tally, effort.seconds, self._clock.now())
