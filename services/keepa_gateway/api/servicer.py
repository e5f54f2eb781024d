# ruff: noqa: ARG002 - the signatures are grpc's
"""KeepaGatewayService: translates between the contract and the use cases."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from time import monotonic
from typing import Any

from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2_grpc as rpc

from services.chassis.errors import Refusal
from services.chassis.rpc import times
from services.chassis.rpc.call import Context
from services.keepa_gateway.api import requests, requests_lists, responses, responses_products
from services.keepa_gateway.api.servicer_deals import DealMethods
from services.keepa_gateway.api.servicer_lists import ListMethods
from services.keepa_gateway.api.servicer_sellers import SellerMethods
from services.keepa_gateway.domain.costs import Cost
from services.keepa_gateway.ports import Gate, Packer
from services.keepa_gateway.usecases.balance import Balance
from services.keepa_gateway.usecases.estimates import Estimates
from services.keepa_gateway.usecases.lists import Lists
from services.keepa_gateway.usecases.products import Products
from services.keepa_gateway.usecases.way import Way


class KeepaGatewayServicer(
    ListMethods, DealMethods, SellerMethods, rpc.KeepaGatewayServiceServicer
):
    """Translates between the contract and the use cases; decides nothing itself."""

    def __init__(
        self,
        *,
        products: Products,
        lists: Lists,
        estimates: Estimates,
        balance: Balance,
        gate: Gate,
        way: Way,
        account: Callable[[], Awaitable[budget.Account]],
        packer: Packer,
        per_minute: int,
    ) -> None:
        self._products = products
        self._lists = lists
        self._estimates = estimates
        self._balance = balance
        self._gate = gate
        self._way = way
        self._account = account
        self._packer = packer
        self._per_minute = per_minute

    async def GetProducts(
        self, request: pb.GetProductsRequest, context: Context
    ) -> AsyncIterator[Any]:
        """Stream the products as they become known, each message in its bytes."""
        asking = requests.asking(
            request, cache_only=request.cache_only, fresh_only=request.fresh_only
        )
        with_raw = request.include_raw_json
        wanted = requests.products_request(request)
        async for answers in self._products.answer(wanted, asking, with_raw=with_raw):
            for message in responses_products.messages(answers, self._way.now(), with_raw=with_raw):
                yield message

    async def GetTokenStatus(
        self, request: pb.GetTokenStatusRequest, context: Context
    ) -> pb.GetTokenStatusResponse:
        """Put the account, the way out and the store into one view."""
        account = await self._account()
        state, now = await self._gate.read()
        counts = await self._gate.counts()
        return pb.GetTokenStatusResponse(
            account=account,
            refill_wait_minutes=responses.refill_wait_minutes(account, now),
            spent_token_count=counts.spent,
            request_count=counts.requests,
            egress=responses.egress_status(state, counts, now, self._per_minute),
            snapshots=responses.snapshot_status(counts),
        )

    async def EstimateCost(
        self, request: pb.EstimateCostRequest, context: Context
    ) -> pb.EstimateCostResponse:
        """Tell the cost of a request."""
        kind = request.WhichOneof("request")
        assert kind is not None, "the contract demands one"
        try:
            return responses.estimate(*await self._estimate(request, kind))
        except Refusal as refusal:
            raise requests.within(kind, refusal) from None

    async def _estimate(self, request: pb.EstimateCostRequest, kind: str) -> tuple[Cost, int]:
        if kind == "products":
            asked = request.products
            asking = requests.asking(asked, cache_only=asked.cache_only)
            wanted = requests.products_request(asked)
            return await self._estimates.products(wanted, asking)
        asked_list = getattr(request, kind)
        call = requests_lists.list_request(asked_list).validated().call()
        return await self._estimates.listing(call, requests.asking(asked_list))

    async def GetEgressStatus(
        self, request: pb.GetEgressStatusRequest, context: Context
    ) -> pb.GetEgressStatusResponse:
        """Tell what stands between a request and Keepa."""
        state, now = await self._gate.read()
        counts = await self._gate.counts()
        egress = responses.egress_status(state, counts, now, self._per_minute)
        return pb.GetEgressStatusResponse(egress=egress)

    async def CheckConnection(
        self, request: pb.CheckConnectionRequest, context: Context
    ) -> pb.CheckConnectionResponse:
        """Ask Keepa for the balance on an operator's word."""
        began = monotonic()
        await self._balance.check(retry_rejected_key=request.retry_rejected_key)
        seconds = monotonic() - began
        return pb.CheckConnectionResponse(
            account=await self._account(),
            latency_duration=times.duration(timedelta(seconds=seconds)),
        )
