# ruff: noqa: ARG002 - the signatures are grpc's
"""KeepaGatewayService: translates between the contract and the use cases."""

from collections.abc import AsyncIterator
from datetime import timedelta
from time import monotonic
from typing import Any

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2_grpc as rpc

from services.chassis.errors import Refusal
from services.chassis.rpc import times
from services.chassis.rpc.call import Context
from services.keepa_gateway.api import translate, translate_lists, wire
from services.keepa_gateway.api.lists import ListMethods
from services.keepa_gateway.api.markets import MarketMethods
from services.keepa_gateway.domain.costs import Cost


class KeepaGatewayServicer(ListMethods, MarketMethods, rpc.KeepaGatewayServiceServicer):
    """Decides nothing itself."""

    async def GetProducts(
        self, request: pb.GetProductsRequest, context: Context
    ) -> AsyncIterator[Any]:
        """Stream the products as they become known, each message in its bytes."""
        asking = translate.asking(
            request, cache_only=request.cache_only, fresh_only=request.fresh_only
        )
        with_raw = request.include_raw_json
        wanted = translate.products_request(request)
        async for answers in self._ask.products.answer(wanted, asking, with_raw=with_raw):
            for message in wire.messages(answers, self._ask.way.now(), with_raw=with_raw):
                yield message

    async def GetTokenStatus(
        self, request: pb.GetTokenStatusRequest, context: Context
    ) -> pb.GetTokenStatusResponse:
        """Put the account, the way out and the store into one view."""
        account = await self._ask.account()
        state, now = await self._ask.gate.read()
        counts = await self._ask.gate.counts()
        return pb.GetTokenStatusResponse(
            account=account,
            refill_wait_minutes=translate.refill_wait_minutes(account, now),
            spent_token_count=counts.spent,
            request_count=counts.requests,
            egress=translate.egress_status(state, counts, now, self._ask.per_minute),
            snapshots=translate.snapshot_status(counts),
        )

    async def EstimateCost(
        self, request: pb.EstimateCostRequest, context: Context
    ) -> pb.EstimateCostResponse:
        """Tell the cost of a request."""
        kind = request.WhichOneof("request")
        assert kind is not None, "the contract demands one"
        try:
            return translate.estimate(*await self._estimate(request, kind))
        except Refusal as refusal:
            raise translate.within(kind, refusal) from None

    async def _estimate(self, request: pb.EstimateCostRequest, kind: str) -> tuple[Cost, int]:
        if kind == "products":
            asked = request.products
            asking = translate.asking(asked, cache_only=asked.cache_only)
            wanted = translate.products_request(asked)
            return await self._ask.estimates.products(wanted, asking)
        asked_list = getattr(request, kind)
        call = translate_lists.list_request(asked_list).validated().call()
        return await self._ask.estimates.listing(call, translate.asking(asked_list))

    async def GetEgressStatus(
        self, request: pb.GetEgressStatusRequest, context: Context
    ) -> pb.GetEgressStatusResponse:
        """Tell what stands between a request and Keepa."""
        state, now = await self._ask.gate.read()
        counts = await self._ask.gate.counts()
        egress = translate.egress_status(state, counts, now, self._ask.per_minute)
        return pb.GetEgressStatusResponse(egress=egress)

    async def CheckConnection(
        self, request: pb.CheckConnectionRequest, context: Context
    ) -> pb.CheckConnectionResponse:
        """Ask Keepa for the balance on an operator's word."""
        began = monotonic()
        await self._ask.balance.check(retry_rejected_key=request.retry_rejected_key)
        seconds = monotonic() - began
        return pb.CheckConnectionResponse(
            account=await self._ask.account(),
            latency_duration=times.duration(timedelta(seconds=seconds)),
        )
