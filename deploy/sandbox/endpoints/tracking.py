"""GET and POST /tracking: watched products; adding costs 1 each, and every one slows the refill."""

from collections.abc import Callable
from typing import Any

import msgspec

from deploy.sandbox.answering import Answer
from deploy.sandbox.envelope import Refused
from deploy.sandbox.keepa_time import minute_of
from deploy.sandbox.params import ASIN, DOMAINS, INVALID, Params

MOST_AT_ONCE = 1_000
TOKENS_PER_UPDATE, TOKENS_PER_MARKET_UPDATE = 0.9, 9.0
MOST_HOURS = 25
MINUTES_PER_HOUR = 60
Tracked = dict[str, Any]


class Threshold(msgspec.Struct, rename="camel", frozen=True):
    """When a tracking speaks up: a price of one series in one locale."""

    domain: int = 1
    csv_type: int = 0
    threshold_value: int = 0
    is_drop: bool = True


class Order(msgspec.Struct, rename="camel", frozen=True):
    """What to track; the names are Keepa's, and unknown ones are ignored."""

    asin: str
    main_domain_id: int = 1
    ttl: int = 24
    expire_notify: bool = False
    update_interval: int = 1
    threshold_values: tuple[Threshold, ...] = ()
    notify_if: tuple[Any, ...] | None = None
    notification_type: tuple[bool, ...] = ()
    individual_notification_interval: int = -1
    meta_data: str | None = None
    tracking_list_name: str | None = None
    marketplace: bool = False


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
            asked = msgspec.json.decode(text or "", type=Order | list[Order])
        except msgspec.MsgspecError as error:
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


def _tracking(order: Order, minute: int) -> Tracked:
    """Return the tracking that an order makes, or refuse."""
    if not ASIN.fullmatch(order.asin):
        raise Refused(INVALID, details="asin")
    if not 0 < order.update_interval <= MOST_HOURS:
        raise Refused(INVALID, details="updateInterval")
    if order.main_domain_id not in DOMAINS:
        raise Refused(INVALID, details="mainDomainId")
    told = msgspec.to_builtins(order)
    return {**told, "createDate": minute, "notificationCSV": None, "isActive": True}


def _tokens_a_minute(tracking: Tracked) -> float:
    locales = {threshold["domain"] for threshold in tracking["thresholdValues"]}
    each = TOKENS_PER_MARKET_UPDATE if tracking["marketplace"] else TOKENS_PER_UPDATE
    hours: int = tracking["updateInterval"]
    return each * max(1, len(locales)) / (hours * MINUTES_PER_HOUR)
