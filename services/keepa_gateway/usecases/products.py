"""Requests for products: answered as they become known, refused as a whole only when nothing could be."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from services.keepa_gateway.domain.answers import ProductAnswer, Status
from services.keepa_gateway.domain.attempt import Asking
from services.keepa_gateway.domain.products_request import ProductOptions, ProductsRequest
from services.keepa_gateway.domain.snapshot import Snapshot, best
from services.keepa_gateway.usecases.buying import Tools
from services.keepa_gateway.usecases.search import LONG_AGO, Search


class Products:
    """Answers requests for products."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def answer(
        self, request: ProductsRequest, asking: Asking, *, with_raw: bool = False
    ) -> AsyncIterator[list[ProductAnswer]]:
        """Answer every subject of a request, stored ones first, in lists of what is known together.

        Raises:
            Refusal: When not one product could be answered.
        """
        search = Search(self._tools, request.validated(), asking, with_raw=with_raw)
        answered = asking.cache_only
        async with aclosing(search.run()) as found:
            async for some in found:
                if not some:
                    continue
                refused = some[0].status is Status.REFUSED
                if refused and not answered and search.refusal is not None:
                    raise search.refusal
                answered = True
                yield some

    async def stored(
        self, domain: int, asins: Sequence[str], options: ProductOptions
    ) -> list[Snapshot]:
        """Give stored products in the order asked for; those that are not there are left out."""
        there = await self._tools.snapshots.find(domain, asins, with_raw=False)
        found = (best(there.get(asin, ()), options, not_before=LONG_AGO) for asin in asins)
        return [one for one in found if one is not None and one.known]
