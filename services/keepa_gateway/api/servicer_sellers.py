# ruff: noqa: ARG002 - the signatures are grpc's
"""The methods of KeepaGatewayService that answer about sellers."""

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.rpc import times
from services.chassis.rpc.call import Context
from services.keepa_gateway.api import requests, requests_pages, requests_sellers, responses_sellers
from services.keepa_gateway.api.servicer_lists import kept_or_asked
from services.keepa_gateway.domain.market_bodies import SellersBody
from services.keepa_gateway.usecases import harvesting
from services.keepa_gateway.usecases.lists import Lists

MOST_SELLERS = 10_000


class SellerMethods:
    """Translates between the contract and the use cases for sellers."""

    _lists: Lists

    async def GetSellers(
        self, request: pb.GetSellersRequest, context: Context
    ) -> pb.GetSellersResponse:
        """Answer sellers by id."""
        wanted = requests_sellers.sellers_request(request)
        asking = requests.asking(request)
        answer = await self._lists.answer(wanted, asking, harvesting.typed(SellersBody))
        return responses_sellers.sellers_answer(answer, wanted.sellers)

    async def ListTopSellers(
        self, request: pb.ListTopSellersRequest, context: Context
    ) -> pb.ListTopSellersResponse:
        """Answer a page of the most rated sellers; only the first page can cost."""
        wanted = requests_sellers.top_sellers_request(request).validated()
        token = requests_pages.read(request.page_token, answer=wanted.call().fingerprint)
        asking = requests.asking(request)
        answer = await kept_or_asked(self._lists, token, wanted, asking, harvesting.seller_ids)
        found = answer.ids().ids
        size = min(request.page_size or requests_pages.DEFAULT_SIZE, MOST_SELLERS)
        page, following = requests_pages.cut(
            found, answer, start=token.start if token else 0, size=size
        )
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
        wanted = requests_sellers.seller_finder_request(request)
        asking = requests.asking(request)
        answer = await self._lists.answer(wanted, asking, harvesting.seller_ids)
        found = answer.ids()
        return pb.FindSellersResponse(
            seller_ids=found.ids,
            total_count=found.total,
            token_count=answer.tokens,
            fetch_time=times.timestamp(answer.fetched_at),
            cached=answer.cached,
        )
