"""GET /lightningdeal: 1 token for one ASIN, 500 for the whole list."""

from typing import Any

from deploy.sandbox.answering import Answer
from deploy.sandbox.catalogue import Catalogue, Item
from deploy.sandbox.catalogue.series_index import Series
from deploy.sandbox.keepa_time import minute_of
from deploy.sandbox.params import Params, require_asins

ONE_TOKEN, LIST_TOKENS = 1, 500
STATES = ("AVAILABLE", "UPCOMING", "WAITLIST", "SOLDOUT", "WAITLISTFULL", "EXPIRED", "SUPPRESSED")
EVERY = 60  # one product in so many has a lightning deal
LASTS_MINUTES = 360


class LightningDeals:
    """Lists the lightning deals of the day: a fixed few of the catalogue."""

    gated = True

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def answer(self, params: Params, now_ms: int, /) -> Answer:
        """Return ``lightningDeals``: of one ASIN, or all, or all in one state."""
        domain = params.domain()
        asins = require_asins(params.listing("asin", 1))
        state = params.text("state")
        if state not in {None, *STATES}:
            raise params.refused("state")
        minute = minute_of(now_ms)
        found = [
            _deal(item, minute, place)
            for place, asin in enumerate(self._catalogue.asins()[::EVERY])
            if asin in (asins or [asin])
            and (item := self._catalogue.find(asin))
            and item.domain == domain
            and item.stat("current", Series.NEW) > 0
        ]
        deals = [deal for deal in found if state in {None, deal["dealState"]}]
        return Answer({"lightningDeals": deals}, ONE_TOKEN if asins else LIST_TOKENS, 300)


def _deal(item: Item, minute: int, place: int) -> dict[str, Any]:
    """Return one deal, running since up to six hours or about to."""
    price = item.stat("current", Series.NEW)
    upcoming = place % 3 == 2
    start = minute + 90 if upcoming else minute - 30 * (1 + place % 11)
    off = 15 + place % 30
    return {
        "domainId": item.domain,
        "lastUpdate": minute,
        "asin": item.asin,
        "title": item.facts["title"],
        "sellerId": (list(item.sellers()) or ["ATVPDKIKX0DER"])[0],
        "dealId": f"{place:08x}",
        "dealPrice": -1 if upcoming else price * (100 - off) // 100,
        "currentPrice": price,
        "image": None,
        "rating": 44,
        "totalReviews": 120 + place,
        "dealState": "UPCOMING" if upcoming else "AVAILABLE",
        "startTime": start,
        "endTime": start + LASTS_MINUTES,
        "percentClaimed": 0 if upcoming else (place * 17) % 100,
        "percentOff": off,
        "variation": None,
    }
