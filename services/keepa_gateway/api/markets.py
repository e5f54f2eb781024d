# ruff: noqa: ARG002 - the signatures are grpc's
"""The methods of KeepaGatewayService that answer about deals and sellers."""

from datetime import timedelta

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.errors import invalid_field
from services.chassis.rpc import times
from services.chassis.rpc.call import Context
from services.keepa_gateway.api import paging, translate
from services.keepa_gateway.api import translate_deals as deals
from services.keepa_gateway.api import translate_sellers as sellers
from services.keepa_gateway.api.asked import UseCases
from services.keepa_gateway.domain.answers import ListAnswer
from services.keepa_gateway.domain.attempt import Asking
from services.keepa_gateway.domain.bodies import decoded
from services.keepa_gateway.domain.list_requests import ListRequest
from services.keepa_gateway.domain.market_bodies import DealsBody, LightningDealsBody, SellersBody
from services.keepa_gateway.usecases import harvesting
from services.keepa_gateway.usecases.paid import Reap

DEALS_AGE = timedelta(minutes=10)
DEFAULT_PAGE = 1_000
MOST_SELLERS, MOST_DEALS = 10_000, 5_000


class MarketMethods:
    """Translates between the contract and the use cases for deals and sellers."""

    _ask: UseCases

    async def ListDeals(
        self, request: pb.ListDealsRequest, context: Context
    ) -> pb.ListDealsResponse:
        """Answer a page of deals."""
        wanted = deals.deals_request(request)
        asking = translate.asking(request, default_age=DEALS_AGE)
        answer = await self._ask.lists.answer(wanted, asking, harvesting.typed(DealsBody))
        return deals.deals_answer(answer, wanted)

    async def GetSellers(
        self, request: pb.GetSellersRequest, context: Context
    ) -> pb.GetSellersResponse:
        """Answer sellers by id."""
        wanted = sellers.sellers_request(request)
        asking = translate.asking(request)
        answer = await self._ask.lists.answer(wanted, asking, harvesting.typed(SellersBody))
        return sellers.sellers_answer(answer, wanted.sellers)

    async def ListTopSellers(
        self, request: pb.ListTopSellersRequest, context: Context
    ) -> pb.ListTopSellersResponse:
        """Answer a page of the most rated sellers; only the first page can cost."""
        wanted = sellers.top_sellers_request(request).validated()
        token = paging.read(request.page_token, answer=wanted.call().fingerprint)
        asking = translate.asking(request)
        answer = await self._paged(token, wanted, asking, harvesting.seller_ids)
        found = answer.ids().ids
        size = min(request.page_size or DEFAULT_PAGE, MOST_SELLERS)
        page, following = paging.cut(found, answer, start=token.start if token else 0, size=size)
        return pb.ListTopSellersResponse(
            seller_ids=page,
            next_page_token=following,
            total_count=len(found),
            token_count=answer.tokens,
            fetch_time=times.timestamp(answer.fetched_at),
            cached=answer.cached,
        )

    async def FindSellers(
        self, request: pb.FindSellersRequest, context: Context
    ) -> pb.FindSellersResponse:
        """Answer a page of the Seller Finder."""
        wanted = sellers.seller_finder_request(request)
        asking = translate.asking(request)
        answer = await self._ask.lists.answer(wanted, asking, harvesting.seller_ids)
        found = answer.ids()
        return pb.FindSellersResponse(
            seller_ids=found.ids,
            total_count=found.total,
            token_count=answer.tokens,
            fetch_time=times.timestamp(answer.fetched_at),
            cached=answer.cached,
        )

    async def ListLightningDeals(
        self, request: pb.ListLightningDealsRequest, context: Context
    ) -> pb.ListLightningDealsResponse:
        """Answer a page of lightning deals; only the first page can cost."""
        wanted = deals.lightning_deals_request(request).validated()
        state = str(request.state)
        token = paging.read(request.page_token, answer=wanted.call().fingerprint, asked=state)
        asking = translate.asking(request, default_age=DEALS_AGE)
        answer = await self._paged(token, wanted, asking, harvesting.typed(LightningDealsBody))
        found = [
            one
            for one in decoded(answer.payload, LightningDealsBody).lightning_deals or ()
            if not request.state or deals.lightning_state(one) == request.state
        ]
        size = min(request.page_size or DEFAULT_PAGE, MOST_DEALS)
        start = token.start if token else 0
        page, following = paging.cut(found, answer, start=start, size=size, asked=state)
        return pb.ListLightningDealsResponse(
            deals=[deals.lightning_deal(one) for one in page],
            next_page_token=following,
            total_count=len(found),
            token_count=answer.tokens,
            fetch_time=times.timestamp(answer.fetched_at),
            cached=answer.cached,
        )

    async def _paged(
        self, token: paging.PageToken | None, wanted: ListRequest, asking: Asking, reap: Reap
    ) -> ListAnswer:
        """Give the answer that a page belongs to.

        Raises:
            Refusal: INVALID_FIELD, when that answer was replaced by a newer one.
        """
        if token is None:
            return await self._ask.lists.answer(wanted, asking, reap)
        kept = await self._ask.lists.page(token.answer, token.fetched_at)
        if kept is None:
            raise invalid_field("page_token", "its answer was replaced; begin with the first page")
        return kept
