# ruff: noqa: ARG002 - the signatures are grpc's
"""The methods of KeepaGatewayService that answer lists."""

from collections.abc import AsyncIterator

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.rpc import times
from services.chassis.rpc.call import Context
from services.keepa_gateway.api import translate
from services.keepa_gateway.api import translate_lists as lists
from services.keepa_gateway.api.asked import UseCases
from services.keepa_gateway.domain.lists import CategoriesBody
from services.keepa_gateway.usecases import harvesting

BEST_SELLERS_PER_MESSAGE = 10_000
CATEGORIES = harvesting.typed(CategoriesBody)


class ListMethods:
    """Translates between the contract and the use cases for lists."""

    def __init__(self, ask: UseCases) -> None:
        self._ask = ask

    async def FindProducts(
        self, request: pb.FindProductsRequest, context: Context
    ) -> pb.FindProductsResponse:
        """Answer a page of the Product Finder."""
        wanted = lists.finder_request(request)
        asking = translate.asking(request)
        return lists.finder_answer(await self._ask.lists.answer(wanted, asking, harvesting.finder))

    async def SearchProducts(
        self, request: pb.SearchProductsRequest, context: Context
    ) -> pb.SearchProductsResponse:
        """Answer a search for products; what it found is stored like any other product."""
        wanted = lists.product_search_request(request).validated()
        reap = harvesting.product_search(wanted, self._ask.packer, self._ask.way)
        answer = await self._ask.lists.answer(wanted, translate.asking(request), reap)
        asins = [] if wanted.asins_only else answer.ids().ids
        products = await self._ask.products.stored(wanted.domain, asins, wanted.options)
        return lists.product_search_answer(answer, products)

    async def ListBestSellers(
        self, request: pb.ListBestSellersRequest, context: Context
    ) -> AsyncIterator[pb.ListBestSellersResponse]:
        """Stream a list in parts; an empty one is a single part."""
        wanted = lists.best_sellers_request(request)
        asking = translate.asking(request)
        answer = await self._ask.lists.answer(wanted, asking, harvesting.best_sellers)
        found = answer.ids()
        for start in range(0, max(len(found.ids), 1), BEST_SELLERS_PER_MESSAGE):
            yield pb.ListBestSellersResponse(
                asins=found.ids[start : start + BEST_SELLERS_PER_MESSAGE],
                token_count=0 if start else answer.tokens,
                fetch_time=times.timestamp(answer.fetched_at),
                cached=answer.cached,
                total_count=found.total,
            )

    async def GetCategories(
        self, request: pb.GetCategoriesRequest, context: Context
    ) -> pb.GetCategoriesResponse:
        """Answer categories by id."""
        wanted = lists.categories_request(request)
        asking = translate.asking(request)
        answer = await self._ask.lists.answer(wanted, asking, CATEGORIES)
        return lists.categories_answer(answer, request.category_ids)

    async def SearchCategories(
        self, request: pb.SearchCategoriesRequest, context: Context
    ) -> pb.SearchCategoriesResponse:
        """Answer a search for categories."""
        wanted = lists.category_search_request(request)
        asking = translate.asking(request)
        answer = await self._ask.lists.answer(wanted, asking, CATEGORIES)
        return lists.category_search_answer(answer)
