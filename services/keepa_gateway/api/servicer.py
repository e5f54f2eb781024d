# ruff: noqa: ARG002 - the signatures are grpc's
"""KeepaGatewayService: translates between the contract and the use cases."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2_grpc as rpc

from services.chassis.rpc.call import Context
from services.keepa_gateway.api import translate
from services.keepa_gateway.domain.costs import Cost
from services.keepa_gateway.ports import Gate
from services.keepa_gateway.usecases.balance import Balance
from services.keepa_gateway.usecases.estimates import Estimates
from services.keepa_gateway.usecases.lists import Lists
from services.keepa_gateway.usecases.products import Products
from services.keepa_gateway.usecases.way import Way

BEST_SELLERS_PER_MESSAGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """Everything that can be asked of the gateway."""

    products: Products
    lists: Lists
    estimates: Estimates
    balance: Balance
    gate: Gate
    way: Way
    account: Callable[[], Awaitable[budget.Account]]
    per_minute: int


class KeepaGatewayServicer(rpc.KeepaGatewayServiceServicer):
    """Decides nothing itself."""

    def __init__(self, ask: UseCases) -> None:
        self._ask = ask

    async def GetProducts(
        self, request: pb.GetProductsRequest, context: Context
    ) -> AsyncIterator[pb.GetProductsResponse]:
        """Stream the products as they become known."""
        asking = translate.asking(request, cache_only=request.cache_only)
        with_raw = request.include_raw_json
        wanted = translate.products_request(request)
        async for answer in self._ask.products.answer(wanted, asking, with_raw=with_raw):
            yield translate.product_answer(answer, self._ask.way.now(), with_raw=with_raw)

    async def FindProducts(
        self, request: pb.FindProductsRequest, context: Context
    ) -> pb.FindProductsResponse:
        """Answer a page of the Product Finder."""
        wanted = translate.finder_request(request)
        answer = await self._ask.lists.find(wanted, translate.asking(request))
        return translate.finder_answer(answer)

    async def ListBestSellers(
        self, request: pb.ListBestSellersRequest, context: Context
    ) -> AsyncIterator[pb.ListBestSellersResponse]:
        """Stream a list in parts; an empty one is a single part."""
        wanted = translate.best_sellers_request(request)
        answer = await self._ask.lists.best_sellers(wanted, translate.asking(request))
        for start in range(0, max(len(answer.asins), 1), BEST_SELLERS_PER_MESSAGE):
            yield pb.ListBestSellersResponse(
                asins=answer.asins[start : start + BEST_SELLERS_PER_MESSAGE],
                token_count=0 if start else answer.tokens,
                fetch_time=translate.instant(answer.fetched_at),
                cached=answer.cached,
                total_count=answer.total,
            )

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
        return translate.estimate(*await self._estimate(request))

    async def _estimate(self, request: pb.EstimateCostRequest) -> tuple[Cost, int]:
        if request.HasField("products"):
            asked = request.products
            asking = translate.asking(asked, cache_only=asked.cache_only)
            wanted = translate.products_request(asked)
            return await self._ask.estimates.products(wanted, asking)
        if request.HasField("find"):
            call = translate.finder_request(request.find).validated().call()
            return await self._ask.estimates.listing(call, translate.asking(request.find))
        call = translate.best_sellers_request(request.best_sellers).validated().call()
        return await self._ask.estimates.listing(call, translate.asking(request.best_sellers))

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
            latency_duration=translate.duration(timedelta(seconds=seconds)),
        )
