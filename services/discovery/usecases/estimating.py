"""What a search would cost, with everything that is stored subtracted; spends nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.discovery.domain.criteria import Filter
from services.discovery.ports import Gateway, Lists
from services.discovery.usecases.finding import STORED
from services.discovery.usecases.scoring import BATCH

TOKENS_PER_PRODUCT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The most that a search can cost, in tokens.

    Attributes:
        stored: Products that cost nothing.
    """

    search: int = 0
    products: int = 0
    search_stored: bool = False
    stored: int = 0

    @property
    def most(self) -> int:
        """The sum: what an envelope would hold."""
        return self.search + self.products


class Estimator:
    """Prices searches before they are made."""

    def __init__(self, lists: Lists, gateway: Gateway) -> None:
        self._lists = lists
        self._gateway = gateway

    async def outline(self, wanted: Filter, *, force_refresh: bool) -> Estimate:
        """Price a scored search from what is known here alone: an upper bound."""
        listing = None if force_refresh else await self._lists.peek(wanted.key)
        if listing is None:
            products = wanted.max_results * TOKENS_PER_PRODUCT
            return Estimate(search=wanted.most_tokens, products=products)
        products = min(len(listing.asins), wanted.max_results) * TOKENS_PER_PRODUCT
        return Estimate(products=products, search_stored=True)

    async def search(self, wanted: Filter, scored: int, *, force_refresh: bool) -> Estimate:
        """Price finding products and scoring the first of them.

        A list that was asked for with another number of products is stored by the gateway
        alone: it costs nothing, but which products it begins with is not known here.
        """
        if force_refresh:
            return Estimate(search=wanted.most_tokens, products=scored * TOKENS_PER_PRODUCT)
        listing = await self._lists.peek(wanted.key)
        if listing is None:
            cost = await self._gateway.list_cost(wanted, max_age=STORED)
            return Estimate(
                search=cost.most,
                products=scored * TOKENS_PER_PRODUCT,
                search_stored=cost.stored > 0,
            )
        found = await self.products(
            wanted.domain, listing.asins[:scored], force_refresh=force_refresh
        )
        return Estimate(products=found.products, search_stored=True, stored=found.stored)

    async def products(self, domain: int, asins: Sequence[str], *, force_refresh: bool) -> Estimate:
        """Price scoring given products."""
        if force_refresh:
            return Estimate(products=len(asins) * TOKENS_PER_PRODUCT)
        most = stored = 0
        for at in range(0, len(asins), BATCH):
            cost = await self._gateway.product_cost(domain, asins[at : at + BATCH], max_age=STORED)
            most, stored = most + cost.most, stored + cost.stored
        return Estimate(products=most, stored=stored)
