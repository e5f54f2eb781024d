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

    async def estimate_search(self, spec: Spec, wanted: int) -> tuple[int, bool]:
        """Price the search alone."""
        assert spec.criteria is not None
        request = pb.EstimateDiscoveryRequest(
            filter=self._filter(spec.criteria, wanted), force_refresh=spec.force_refresh
        )
        answer = await self._estimate(request)
        if answer is None:
            return estimate.search_cost(wanted), False
        return answer.search_token_count, answer.search_cached

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
