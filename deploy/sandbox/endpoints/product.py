"""GET /product: up to 100 products by ASIN or by code, at the price of each option."""

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.sandbox.answering import Answer
from deploy.sandbox.catalogue import Catalogue, Item
from deploy.sandbox.catalogue.view import View
from deploy.sandbox.envelope import Refused
from deploy.sandbox.keepa_time import MINUTES_PER_DAY, minute_of
from deploy.sandbox.params import INVALID, Params, require_asins

MOST_PRODUCTS = 100
FEWEST_OFFERS, MOST_OFFERS = 20, 100
TOKENS_PER_OFFER_PAGE = 6
OFFERS_PER_PAGE = 10
FETCH_FAILURES = 9 / 303  # of 303 recorded calls, those that cost 2 or 4
RATING_FRESH = 14 * MINUTES_PER_DAY
STOCK_FRESH = 7 * MINUTES_PER_DAY
YIELD_EVERY = 2


@dataclass(frozen=True)
class Options:
    """The options that decide the price.

    Attributes:
        update: Refresh when older than this many hours; 0 always, -1 never.
        update_given: Whether the request named it.
        offers_fail: Whether fetching offers fails, by order.
    """

    view: View
    update: int
    update_given: bool
    domain: int
    offers_fail: bool = False


class Product:
    """Looks products up, refreshes them, and prices every option of every product."""

    gated = True

    def __init__(self, catalogue: Catalogue, rng: random.Random) -> None:
        self._catalogue = catalogue
        self._rng = rng
        self._offers_seen: dict[str, int] = {}

    async def answer(self, params: Params, now_ms: int, /) -> Answer:
        """Return ``products``, one for each ASIN asked or each product a code matches."""
        minute = minute_of(now_ms)
        asins = self._wanted(params)
        options = _options(params, minute)
        products: list[dict[str, Any]] = []
        tokens = 0
        for number, asin in enumerate(asins):
            product, price = self._one(asin, options, minute)
            tokens += price
            if product is not None:
                products.append(product)
            if number % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
        return Answer({"products": products}, tokens, self._takes_ms(options, len(asins)))

    def _wanted(self, params: Params) -> list[str]:
        params.domain()
        asins = require_asins(params.listing("asin", MOST_PRODUCTS))
        codes = params.listing("code", MOST_PRODUCTS)
        if bool(asins) == bool(codes):
            raise Refused(INVALID, details="asin" if not asins else "code")
        limit = params.integer("code-limit")
        matches = [self._catalogue.by_code(code)[:limit] for code in codes]
        return asins or [asin for found in matches for asin in found]

    def _one(self, asin: str, options: Options, minute: int) -> tuple[dict[str, Any] | None, int]:
        """Return one product and its price; no product only for update=-1 and unknown."""
        item = self._catalogue.find(asin)
        if item is None or item.domain != options.domain:
            if options.update == -1:
                return None, 0
            return self._catalogue.placeholder(asin, options.domain, options.view), 1
        age = minute - item.updated()
        if options.update >= 0 and age >= options.update * 60:
            item.refresh(minute)
        product = item.render(options.view)
        forced = int(options.update == 0 and age < 60)
        return product, forced + self._price(item, product, options, minute)

    def _price(self, item: Item, product: dict[str, Any], options: Options, minute: int) -> int:
        view = options.view
        rated = minute - int(product.get("lastRatingUpdate") or 0) < RATING_FRESH
        if not view.offers:
            return 1 + 2 * view.buybox + (view.rating and rated)
        stocked = minute - int(product.get("lastStockUpdate") or 0) < STOCK_FRESH
        stock = 2 * (view.stock and stocked)
        if "offers" not in product or self._rng.random() < FETCH_FAILURES or options.offers_fail:
            _without_offers(product)
            return 1 + (view.rating and rated) + stock
        return self._offer_pages(item, product, options, minute) + stock

    def _offer_pages(
        self, item: Item, product: dict[str, Any], options: Options, minute: int
    ) -> int:
        """Return what the offers themselves cost, and remember when they were fetched."""
        last = self._offers_seen.get(item.asin)
        self._offers_seen[item.asin] = minute
        newer = last is not None and minute - last < options.update * 60
        found = min(options.view.offers, len(product.get("liveOffersOrder") or ()))
        if not found or (options.update_given and newer):
            return TOKENS_PER_OFFER_PAGE - 1
        return TOKENS_PER_OFFER_PAGE * -(-found // OFFERS_PER_PAGE)

    def _takes_ms(self, options: Options, count: int) -> int:
        """Return how long Keepa was measured to take for such a call."""
        if options.view.offers:
            return min(30_000, int(self._rng.lognormvariate(8.4, 0.45)) * max(1, count // 5))
        return self._rng.randint(20, 300) + 3 * count


def _without_offers(product: dict[str, Any]) -> None:
    """Make the product what it is when fetching its offers failed."""
    product["offersSuccessful"] = False
    product["liveOffersOrder"] = None
    product.pop("offers", None)


def _options(params: Params, minute: int) -> Options:
    offers = params.integer("offers", 0) or 0
    if offers and offers < FEWEST_OFFERS:
        message = "Either no or a minimum of 20 offers must be requested."
        raise Refused(message, details=None, status=200)
    if offers > MOST_OFFERS:
        raise Refused(INVALID, details="offers")
    update = params.integer("update", 1)
    assert update is not None
    if update < -1:
        raise Refused(INVALID, details="update")
    view = View(
        minute=minute,
        stats=_interval(params.text("stats"), minute),
        history=params.flag("history", default=True),
        days=_days(params),
        offers=offers,
        only_live_offers=params.flag("only-live-offers"),
        buybox=params.flag("buybox") and not offers,
        rating=params.flag("rating"),
        stock=params.flag("stock") and offers > 0,
    )
    given, fails = params.text("update") is not None, params.fails == "failed_offers"
    return Options(view, update, given, params.domain(), fails)


def _days(params: Params) -> int | None:
    days = params.integer("days")
    if days is not None and days < 1:
        raise Refused(INVALID, details="days")
    return days


def _interval(text: str | None, minute: int) -> int | tuple[int, int] | None:
    """Return the interval of ``stats``: days back, or two dates or Keepa minutes."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) == 1 and parts[0].isdecimal() and 0 < int(parts[0]) <= 100_000:
        return int(parts[0])
    if len(parts) == 2:
        start, end = (_instant(part.strip()) for part in parts)
        if start < end:
            return start, min(end, minute)
    raise Refused(INVALID, details="stats")


def _instant(text: str) -> int:
    if text.isdecimal():
        return int(text)
    try:
        date = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise Refused(INVALID, details="stats") from error
    return minute_of(int(date.timestamp() * 1_000))
