"""Discovery over gRPC, for reads only: what is stored already, and so what a job may cost."""

from collections.abc import Callable, Sequence

import grpc
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2_grpc
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as gateway_pb

from services.autosourcing.domain import estimate
from services.autosourcing.domain.estimate import Estimate
from services.autosourcing.domain.spec import Criteria, Spec
from services.chassis import telemetry
from services.chassis.errors import Kind
from services.chassis.rpc.status import refusal_from

ANSWER_SECONDS = 3.0
Filter = Callable[[Criteria, int], pb.DiscoveryFilter]
_log = telemetry.get_logger(__name__)


class GrpcDiscovery:
    """Implements ``ports.Discovery`` over a stub.

    Nothing but the price depends on it, so when it does not answer the price is the one
    without any cache: the most there is.
    """

    def __init__(self, channel: grpc.aio.Channel, filter_message: Filter) -> None:
        self._stub = discovery_pb2_grpc.DiscoveryServiceStub(channel)
        self._filter = filter_message

    async def estimate_search(self, spec: Spec, wanted: int) -> Estimate:
        """Price the search, and of a stored one its products, less those that are stored.

        Where those seen lately are left out, others of the list take their places, and nobody
        knows which: then no more is paid than all of the list would cost.
        """
        assert spec.criteria is not None
        scored = spec.products if spec.include_recent else wanted
        request = pb.EstimateDiscoveryRequest(
            filter=self._filter(spec.criteria, wanted),
            scored_count=scored,
            force_refresh=spec.force_refresh,
        )
        answer = await self._estimate(request)
        if answer is None:
            return estimate.for_search(spec.products)
        if not answer.search_cached:
            return Estimate(answer.search_token_count, spec.products, spec.products)
        paid = min(spec.products, answer.product_token_count)
        stored = min(spec.products - paid, answer.cached_count)
        return Estimate(answer.search_token_count, paid, spec.products, stored)

    async def estimate_products(self, spec: Spec, asins: Sequence[str]) -> Estimate:
        """Price given products, less those that are stored."""
        assert spec.criteria is not None
        domain = gateway_pb.Domain.Value(f"DOMAIN_{spec.criteria.domain}")
        request = pb.EstimateDiscoveryRequest(
            asins=pb.AsinList(asins=asins, domain=domain), force_refresh=spec.force_refresh
        )
        answer = await self._estimate(request)
        if answer is None:
            return estimate.for_identifiers(len(asins))
        return Estimate(0, answer.product_token_count, len(asins), answer.cached_count)

    async def _estimate(
        self, request: pb.EstimateDiscoveryRequest
    ) -> pb.EstimateDiscoveryResponse | None:
        try:
            return await self._stub.EstimateDiscovery(request, timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            refusal = refusal_from(error)
            if refusal.kind not in (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.UNIMPLEMENTED):
                raise refusal from error
            _log.warning("estimated without caches", reason=refusal.reason)
            return None
