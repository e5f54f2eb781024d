"""GET and POST /tracking: watched products; adding costs 1 each, and every one slows the refill."""

import json
from collections.abc import Callable
from typing import Any

from deploy.sandbox.answering import Answer
from deploy.sandbox.envelope import Refused
from deploy.sandbox.keepa_time import minute_of
from deploy.sandbox.params import ASIN, DOMAINS, INVALID, Params

MOST_AT_ONCE = 1_000
TOKENS_PER_UPDATE, TOKENS_PER_MARKET_UPDATE = 0.9, 9.0
MOST_HOURS = 25
MINUTES_PER_HOUR = 60
Tracked = dict[str, Any]


class Tracking:
    """Keeps the trackings of the account, and tells it how much they take off the refill.

    Args:
        slow: Takes the tokens per minute that all active trackings use up.
    """

    gated = True

    def __init__(self, slow: Callable[[float], None]) -> None:
        self._slow = slow
        self._tracked: dict[str, Tracked] = {}

    async def answer(self, params: Params, now_ms: int, /) -> Answer:
        """Do what ``type`` says."""
        kind = params.required("type")
        match kind:
            case "add":
                return self._add(params.text("selection"), minute_of(now_ms))
            case "get":
                asin = params.required("asin")
                found = self._tracked.get(asin)
                return Answer({"trackings": [found] if found else []}, 0, 20)
            case "list":
                return self._list(asins_only=params.flag("asins-only"))
            case "notification":
                params.integer("since")
                params.flag("revise")
                return Answer({"notifications": []}, 0, 20)
            case "remove" | "removeAll" | "webhook":
                return self._change(kind, params)
            case _:
                raise params.refused("type")

    def _add(self, text: str | None, minute: int) -> Answer:
        """Track what the body lists: one request object or up to 1,000."""
        try:
            asked = json.loads(text or "")
        except (ValueError, RecursionError) as error:
            raise Refused(INVALID, details="trackings") from error
        orders = asked if isinstance(asked, list) else [asked]
        if not 1 <= len(orders) <= MOST_AT_ONCE:
            raise Refused(INVALID, details="trackings")
        added = [_tracking(order, minute) for order in orders]
        self._tracked |= {tracking["asin"]: tracking for tracking in added}
        self._slow(self.flow_reduction())
        return Answer({"trackings": added}, len(added), 60)

    def _list(self, *, asins_only: bool) -> Answer:
        if asins_only:
            return Answer({"asinList": list(self._tracked)}, 0, 20)
        return Answer({"trackings": list(self._tracked.values())}, 0, 20)

    def _change(self, kind: str, params: Params) -> Answer:
        if kind == "webhook":
            params.required("url")
        elif kind == "remove":
            self._tracked.pop(params.required("asin"), None)
        else:
            self._tracked.clear()
        self._slow(self.flow_reduction())
        return Answer({}, 0, 20)

    def flow_reduction(self) -> float:
        """Return the tokens per minute that all trackings take: a price per update and locale."""
        return round(sum(map(_tokens_a_minute, self._tracked.values())), 3)


def _tracking(order: Any, minute: int) -> Tracked:
    """Return the tracking that an order makes, or refuse."""
    if not isinstance(order, dict) or not ASIN.fullmatch(str(order.get("asin"))):
        raise Refused(INVALID, details="asin")
    hours, domain = order.get("updateInterval", 1), order.get("mainDomainId", 1)
    if not isinstance(hours, int) or not 0 < hours <= MOST_HOURS:
        raise Refused(INVALID, details="updateInterval")
    if domain not in DOMAINS:
        raise Refused(INVALID, details="mainDomainId")
    return {
        "asin": order["asin"],
        "createDate": minute,
        "ttl": order.get("ttl", 24),
        "expireNotify": bool(order.get("expireNotify", False)),
        "mainDomainId": domain,
        "updateInterval": hours,
        "metaData": order.get("metaData"),
        "thresholdValues": order.get("thresholdValues") or [],
        "notifyIf": order.get("notifyIf"),
        "notificationType": order.get("notificationType") or [],
        "notificationCSV": None,
        "individualNotificationInterval": order.get("individualNotificationInterval", -1),
        "isActive": True,
        "trackingListName": order.get("trackingListName"),
        "marketplace": bool(order.get("marketplace", False)),
    }


def _tokens_a_minute(tracking: Tracked) -> float:
    thresholds = tracking["thresholdValues"]
    locales = {entry.get("domain") for entry in thresholds if isinstance(entry, dict)}
    each = TOKENS_PER_MARKET_UPDATE if tracking["marketplace"] else TOKENS_PER_UPDATE
    hours: int = tracking["updateInterval"]
    return each * max(1, len(locales)) / (hours * MINUTES_PER_HOUR)
