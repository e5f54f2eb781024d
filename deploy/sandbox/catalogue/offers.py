"""What the options offers, buybox, rating and stock add to a product."""

import random
from collections.abc import Sequence
from typing import Any

from deploy.sandbox.catalogue.book import ABSENT, Book
from deploy.sandbox.catalogue.history import DAY, Points, counted, own_rng, stepped
from deploy.sandbox.catalogue.sellers import (
    MERCHANTS,
    Seller,
    live_sellers,
    lowest,
    merchant_id,
    shipping_of,
)
from deploy.sandbox.catalogue.series_index import Series, extras
from deploy.sandbox.catalogue.view import View

_USED_SERIES = {
    2: Series.USED_NEW_SHIPPING,
    3: Series.USED_VERY_GOOD_SHIPPING,
    4: Series.USED_GOOD_SHIPPING,
    5: Series.USED_ACCEPTABLE_SHIPPING,
}
_REMARKS = (
    None,
    "Clean pages, a firm spine and light wear to the corners.",
    "A former library copy with the usual stamps.",
    "Some notes in pencil. Sent within a day.",
)
STOCK_KNOWN_EVERY = 7  # one book in so many had its stock looked at within a week


def extra_series(book: Book, end: int, view: View) -> dict[int, Points]:
    """Return the series that the view's options pay for, by index."""
    granted = extras(offers=view.offers > 0, buybox=view.buybox, rating=view.rating)
    if not granted:
        return {}
    start = end - book.tracked_days * DAY
    offers = book.count_new + book.count_used
    series = {
        int(index): stepped(own_rng(book, index), book, end, level, every_days=9)
        if level > 0
        else [(start, ABSENT)]
        for index, level in _levels(book).items()
        if index in granted
    }
    if Series.RATING in granted:
        series[Series.RATING] = [(start, book.rating)]
        reviews = [(start, book.reviews // 2 + 1), (end - 90 * DAY, book.reviews + 2)]
        series[Series.COUNT_REVIEWS] = reviews
    if Series.EXTRA_INFO_UPDATES in granted:
        updates = counted(own_rng(book, Series.EXTRA_INFO_UPDATES), book, end, offers)
        series[Series.EXTRA_INFO_UPDATES] = updates
    return series


def _levels(book: Book) -> dict[Series, int]:
    """Return the present value of every extra price series; -1 is absent."""
    sellers = live_sellers(book)
    used = [seller for seller in sellers if seller.condition > 1]
    return {
        Series.NEW_FBM_SHIPPING: lowest(sellers, condition=1, fba=False),
        Series.NEW_FBA: lowest(sellers, condition=1, fba=True),
        Series.BUY_BOX_SHIPPING: book.buy_box,
        Series.BUY_BOX_USED_SHIPPING: used[0].landed if used else ABSENT,
        **{i: lowest(sellers, condition=grade) for grade, i in _USED_SERIES.items()},
    }


def stock_updated(book: Book, updated: int) -> int:
    """Return when the offers' stock was last looked at, by somebody's request."""
    return updated - (1 if book.index % STOCK_KNOWN_EVERY == 0 else 20) * DAY


def offer_fields(book: Book, updated: int, view: View) -> dict[str, Any]:
    """Return the fields of a product that come with offers."""
    sellers = live_sellers(book)
    wanted = sellers[: view.offers]
    live = [_offer(book, seller, n, updated, view) for n, seller in enumerate(wanted)]
    gone = [] if view.only_live_offers else _gone(book, updated, len(live))
    return {
        "offers": live + gone,
        "liveOffersOrder": list(range(len(live))),
        "offersSuccessful": True,
        "lastStockUpdate": stock_updated(book, updated),
    }


def buy_box_fields(book: Book, updated: int) -> dict[str, Any]:
    """Return the histories of who held the new and the used buy box."""
    sellers = live_sellers(book)
    used = [seller for seller in sellers if seller.condition > 1]
    since = str(updated - 120 * DAY)
    first_used = (
        [since, used[0].id, str(used[0].condition), str(int(used[0].fba))] if used else None
    )
    return {
        "buyBoxSellerIdHistory": [since, sellers[0].id],
        "buyBoxUsedHistory": first_used,
    }


def buy_box_stats(book: Book, updated: int) -> dict[str, Any]:
    """Return the scalars of ``stats`` about the buy box."""
    sellers = live_sellers(book)
    winner = sellers[0]
    return {
        "buyBoxPrice": book.buy_box,
        "buyBoxShipping": 0,
        "buyBoxSellerId": winner.id,
        "buyBoxIsFBA": winner.fba,
        "buyBoxIsAmazon": winner.is_amazon,
        "buyBoxIsUsed": False,
        "buyBoxIsUnqualified": False,
        "buyBoxIsShippable": True,
        "buyBoxIsPreorder": False,
        "buyBoxIsBackorder": False,
        "buyBoxIsMAP": False,
        "buyBoxIsPrimeEligible": winner.fba,
        "buyBoxIsPrimeExclusive": False,
        "buyBoxIsFreeShippingEligible": winner.fba,
        "buyBoxIsWarehouseDeal": False,
        "buyBoxCondition": 1,
        "buyBoxAvailabilityMessage": "IN_STOCK",
        "lastBuyBoxUpdate": updated,
        **_used_buy_box(sellers),
    }


def offer_stats(book: Book, updated: int, view: View) -> dict[str, Any]:
    """Return the scalars of ``stats`` that come with offers."""
    sellers = live_sellers(book)
    new = [seller for seller in sellers if seller.condition == 1]
    fba, merchant = ([s for s in new if s.fba is wanted] for wanted in (True, False))
    stats: dict[str, Any] = {
        "offerCountFBA": len(fba),
        "offerCountFBM": len(merchant),
        "retrievedOfferCount": len(sellers[: view.offers]),
        "sellerIdsLowestFBA": _cheapest(fba),
        "sellerIdsLowestFBM": _cheapest(merchant),
        "lastOffersUpdate": updated,
        "buyBoxStats": {sellers[0].id: _won(book, updated)},
    }
    if view.stock:
        stats["stockBuyBox"] = 1 + book.index % 9
    return stats


def _cheapest(sellers: Sequence[Seller]) -> list[str] | None:
    if not sellers:
        return None
    least = min(seller.landed for seller in sellers)
    return [seller.id for seller in sellers if seller.landed == least]


def _won(book: Book, updated: int) -> dict[str, Any]:
    return {
        "percentageWon": 100.0,
        "avgPrice": book.buy_box,
        "avgNewOfferCount": book.count_new,
        "avgUsedOfferCount": book.count_used,
        "isFBA": book.count_new_fba > 0,
        "lastSeen": updated,
    }


def _used_buy_box(sellers: Sequence[Seller]) -> dict[str, Any]:
    used = [seller for seller in sellers if seller.condition > 1]
    if not used:
        return {}
    best, shipping = used[0], shipping_of(used[0])
    return {
        "buyBoxUsedPrice": best.landed - shipping,
        "buyBoxUsedShipping": shipping,
        "buyBoxUsedSellerId": best.id,
        "buyBoxUsedIsFBA": best.fba,
        "buyBoxUsedCondition": best.condition,
    }


def _offer(book: Book, seller: Seller, number: int, seen: int, view: View) -> dict[str, Any]:
    """Return one offer with the history of its price."""
    shipping = shipping_of(seller)
    price = seller.landed - shipping
    changed = seen - (book.index * 37 + number * 911) % (20 * DAY) - 5
    earlier = changed - (9 + number) * DAY
    offer = {
        "offerId": number + 1,
        "sellerId": seller.id,
        "condition": seller.condition,
        "conditionComment": _remark(book, seller, number),
        "lastSeen": seen,
        "lastStockUpdate": stock_updated(book, seen),
        "offerCSV": [earlier, price + 40 + 7 * number, shipping, changed, price, shipping],
        "isFBA": seller.fba,
        "isPrime": seller.fba,
        "isAmazon": seller.is_amazon,
        "isShippable": True,
        "minOrderQty": 1,
        "couponHistory": [earlier, 0],
    }
    never = ("isMAP", "isAddonItem", "isPreorder", "isWarehouseDeal", "isScam", "isPrimeExcl")
    offer |= dict.fromkeys((*never, "shipsFromChina"), False)
    if view.stock:
        offer["stockCSV"] = [changed, 1 + (book.index + number) % 12]
    return offer


def _remark(book: Book, seller: Seller, number: int) -> str | None:
    return None if seller.condition == 1 else _REMARKS[(book.index + number) % len(_REMARKS)]


def _gone(book: Book, updated: int, first: int) -> list[dict[str, Any]]:
    """Return offers that were seen once and are no longer there."""
    rng = random.Random(book.index * 17 + 9)  # noqa: S311
    found = []
    for place in range(rng.randint(2, 9)):
        price = round(book.used * rng.uniform(0.8, 1.6))
        number, condition = rng.randrange(MERCHANTS), rng.randint(1, 5)
        fba = rng.random() < 0.3
        seller = Seller(merchant_id(number), condition, fba=fba, landed=price)
        seen = updated - rng.randint(9, book.tracked_days) * DAY
        found.append(_offer(book, seller, first + place, seen, View(minute=seen)))
    return found
