# ruff: noqa: ARG002 - the signatures are grpc's
"""The methods of KeepaGatewayService that answer lists."""

from collections.abc import AsyncIterator

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.errors import invalid_field
from services.chassis.rpc import times
from services.chassis.rpc.call import Context
from services.keepa_gateway.api import requests, requests_lists, requests_pages, responses_lists
from services.keepa_gateway.domain.answers import ListAnswer
from services.keepa_gateway.domain.attempt import Asking
from services.keepa_gateway.domain.list_requests import ListRequest
from services.keepa_gateway.domain.lists import CategoriesBody
from services.keepa_gateway.ports import Packer
from services.keepa_gateway.usecases import harvesting
from services.keepa_gateway.usecases.lists import Lists
from services.keepa_gateway.usecases.paid import Reap
from services.keepa_gateway.usecases.products import Products
from services.keepa_gateway.usecases.way import Way

BEST_SELLERS_PER_MESSAGE = 10_000
CATEGORIES = harvesting.typed(CategoriesBody)


class ListMethods:
    """Translates between the contract and the use cases for lists."""

    _lists: Lists
    _products: Products
    _packer: Packer
    _way: Way

    async def FindProducts(
        self, request: pb.FindProductsRequest, context: Context
    ) -> pb.FindProductsResponse:
        """Answer a page of the Product Finder."""
        wanted = requests_lists.finder_request(request)
        asking = requests.asking(request)
        return responses_lists.finder_answer(
            await self._lists.answer(wanted, asking, harvesting.finder)
        )

    async def SearchProducts(
        self, request: pb.SearchProductsRequest, context: Context
    ) -> pb.SearchProductsResponse:
        """Answer a search for products; what it found is stored like any other product."""
        wanted = requests_lists.product_search_request(request).validated()
        reap = harvesting.product_search(wanted, self._packer, self._way)
        answer = await self._lists.answer(wanted, requests.asking(request), reap)
        asins = [] if wanted.asins_only else answer.ids().ids
        products = await self._products.stored(wanted.domain, asins, wanted.options)
        return responses_lists.product_search_answer(answer, products)

    async def ListBestSellers(
        self, request: pb.ListBestSellersRequest, context: Context
    ) -> AsyncIterator[pb.ListBestSellersResponse]:
        """Stream a list in parts; an empty one is a single part."""
        wanted = requests_lists.best_sellers_request(request)
        asking = requests.asking(request)
        answer = await self._lists.answer(wanted, asking, harvesting.best_sellers)
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
        wanted = requests_lists.categories_request(request)
        asking = requests.asking(request)
        answer = await self._lists.answer(wanted, asking, CATEGORIES)
        return responses_lists.categories_answer(answer, request.category_ids)

    async def SearchCategories(
        self, request: pb.SearchCategoriesRequest, context: Context
    ) -> pb.SearchCategoriesResponse:
        """Answer a search for categories."""
        wanted = requests_lists.category_search_request(request)
        asking = requests.asking(request)
        answer = await self._lists.answer(wanted, asking, CATEGORIES)
        return responses_lists.category_search_answer(answer)


async def kept_or_asked(
    lists: Lists,
    token: requests_pages.PageToken | None,
    wanted: ListRequest,
    asking: Asking,
    reap: Reap,
) -> ListAnswer:
    """Give the answer that a page belongs to; the first page asks for one.

    Raises:
        Refusal: INVALID_FIELD, when that answer was replaced by a newer one.
    """
    if token is None:
        return await lists.answer(wanted, asking, reap)
    kept = await lists.page(token.answer, token.fetched_at)
    if kept is None:
        raise invalid_field("page_token", "its answer was replaced; begin with the first page")
    return kept
