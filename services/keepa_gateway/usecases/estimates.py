"""What a request would cost, with what is stored subtracted (G9)."""

from collections.abc import Sequence

from services.keepa_gateway.domain.attempt import Asking
from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.costs import FREE, Cost
from services.keepa_gateway.domain.products_request import ProductsRequest
from services.keepa_gateway.domain.snapshot import best
from services.keepa_gateway.ports import Snapshots
from services.keepa_gateway.usecases.lists import Lists
from services.keepa_gateway.usecases.way import Way


class Estimates:
    """Tells costs without spending anything."""

    def __init__(self, *, snapshots: Snapshots, lists: Lists, way: Way) -> None:
        self._snapshots = snapshots
        self._lists = lists
        self._way = way

    async def products(self, request: ProductsRequest, asking: Asking) -> tuple[Cost, int]:
        """The cost of what is not stored, and how many products are."""
        request = request.validated()
        stored = await self._stored(request, asking)
        missing = [subject for subject in request.subjects if subject not in stored]
        cost = request.narrowed(missing).cost() if missing else FREE
        return (FREE if asking.cache_only else cost), len(stored)

    async def listing(self, call: Call, asking: Asking) -> tuple[Cost, int]:
        """The cost of a list, and whether it is stored."""
        stored = await self._lists.is_stored(call, asking)
        return (FREE, 1) if stored else (call.cost, 0)

    async def _stored(self, request: ProductsRequest, asking: Asking) -> Sequence[str]:
        now = await self._way.look()
        not_before = now - asking.max_age
        if request.codes and request.code_limit > 1:
            return ()
        find = self._snapshots.find if request.asins else self._snapshots.find_by_code
        there = await find(request.domain, request.subjects, with_raw=False, with_product=False)
        return [
            subject
            for subject in request.subjects
            if best(there.get(subject, ()), request.options, not_before=not_before, now=now)
        ]
