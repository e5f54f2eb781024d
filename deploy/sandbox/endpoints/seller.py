"""GET /seller, /topseller and /sellerquery: who sells what is in the catalogue."""

import asyncio
import hashlib
from typing import Any

from deploy.sandbox.answering import Answer
from deploy.sandbox.catalogue import Catalogue
from deploy.sandbox.catalogue.sellers import AMAZON_SELLER
from deploy.sandbox.endpoints.selections import read_selection
from deploy.sandbox.keepa_time import MINUTES_PER_DAY, minute_of
from deploy.sandbox.params import Params
from deploy.sandbox.seller_finder import parse_sellers

MOST_SELLERS = 100
STOREFRONT_TOKENS = 9
FEWEST_FOR_STOREFRONT = 2
TOP_TOKENS = 50
QUERY_TOKENS, SELLERS_PER_TOKEN = 10, 100
YIELD_EVERY = 50


class Market:
    """Which seller offers what, counted once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._asins: dict[tuple[int, str], list[str]] | None = None

    async def storefronts(self, domain: int) -> dict[str, list[str]]:
        """Return the ASINs that each seller of a locale offers."""
        if self._asins is None:
            self._asins = await self._count()
        return {seller: asins for (at, seller), asins in self._asins.items() if at == domain}

    async def _count(self) -> dict[tuple[int, str], list[str]]:
        found: dict[tuple[int, str], list[str]] = {}
        for number, asin in enumerate(self._catalogue.asins()):
            item = self._catalogue.find(asin)
            for seller in item.sellers() if item else ():
                assert item
                found.setdefault((item.domain, seller), []).append(asin)
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
        return found


class Seller:
    """Looks sellers up by id: 1 token for each that is found, 10 with its storefront."""

    gated = True

    def __init__(self, market: Market) -> None:
        self._market = market

    async def answer(self, params: Params, now_ms: int, /) -> Answer:
        """Return ``sellers`` by id, the known ones only."""
        domain = params.domain()
        ids = params.listing("seller", MOST_SELLERS)
        storefront = params.flag("storefront")
        if not ids or (storefront and len(ids) > 1):
            raise params.refused("seller")
        fronts = await self._market.storefronts(domain)
        minute = minute_of(now_ms)
        sellers = {
            id_: seller_object(id_, fronts[id_], domain, minute, storefront=storefront)
            for id_ in dict.fromkeys(ids)
            if id_ in fronts
        }
        paid = [id_ for id_ in sellers if len(fronts[id_]) >= FEWEST_FOR_STOREFRONT]
        extra = STOREFRONT_TOKENS if storefront and paid else 0
        return Answer({"sellers": sellers}, len(sellers) + extra, 600)


class TopSeller:
    """Lists the sellers with the most offers."""

    gated = True

    def __init__(self, market: Market) -> None:
        self._market = market

    async def answer(self, params: Params, _now_ms: int, /) -> Answer:
        """Return ``sellerIdList``, most offers first."""
        fronts = await self._market.storefronts(params.domain())
        ranked = sorted(fronts, key=lambda id_: (-len(fronts[id_]), id_))
        return Answer({"sellerIdList": ranked}, TOP_TOKENS, 500)


class SellerQuery:
    """Finds sellers by their properties: 10 tokens and 1 for every started 100 of the page."""

    gated = True

    def __init__(self, market: Market) -> None:
        self._market = market

    async def answer(self, params: Params, now_ms: int, /) -> Answer:
        """Return one page of ``sellerIdList`` and how many there are in all."""
        domain = params.domain()
        selection = parse_sellers(read_selection(params.text("selection")))
        fronts, minute = await self._market.storefronts(domain), minute_of(now_ms)
        sellers = [
            seller_object(id_, asins, domain, minute, storefront=False)
            for id_, asins in sorted(fronts.items())
        ]
        found = [seller["sellerId"] for seller in selection.chosen(sellers)]
        first = selection.page * selection.per_page
        page = found[first : first + selection.per_page]
        tokens = QUERY_TOKENS + -(-len(page) // SELLERS_PER_TOKEN)
        return Answer({"sellerIdList": page, "totalResults": len(found)}, tokens, 500)


def seller_object(
    id_: str, asins: list[str], domain: int, minute: int, *, storefront: bool
) -> dict[str, Any]:
    """Return Keepa's seller object; names and ratings follow from the id."""
    draw = int.from_bytes(hashlib.sha256(id_.encode()).digest()[:6])
    rating, count = 82 + draw % 19, 20 + draw // 19 % 40_000
    since = minute - (400 + draw % 2_000) * MINUTES_PER_DAY
    seller: dict[str, Any] = {
        "sellerId": id_,
        "sellerName": "Amazon.com" if id_ == AMAZON_SELLER else f"Shelf {draw % 9_973}",
        "domainId": domain,
        "trackedSince": since,
        "lastUpdate": minute,
        "csv": [[since, rating - 1, minute - 90 * MINUTES_PER_DAY, rating], [since, count]],
        "currentRating": rating,
        "currentRatingCount": count,
        "ratingsLast30Days": count // 40,
        "positiveRating": [rating] * 4,
        "neutralRating": [(100 - rating) // 2] * 4,
        "negativeRating": [100 - rating - (100 - rating) // 2] * 4,
        "ratingCount": [count // 40, count // 12, count // 4, count],
        "hasFBA": bool(draw % 3),
        "shipsFromChina": draw % 29 == 0,
        "isScammer": False,
        "totalStorefrontAsins": [minute, len(asins)],
        "totalStorefrontAsinsCSV": [since, len(asins) // 2, minute, len(asins)],
        "competitors": [],
        "sellerBrandStatistics": [],
    }
    if storefront:
        seller |= {"asinList": asins, "asinListLastSeen": [minute] * len(asins)}
    return seller
