"""The catalogue of recorded answers, moved in time so that each was recorded just now."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from deploy.sandbox.catalogue.instants import move_instants, newest_instant
from deploy.sandbox.catalogue.placeholder import placeholder
from deploy.sandbox.catalogue.series_index import ALL_EXTRAS, TRIPLES, extras
from deploy.sandbox.catalogue.statistics import DAY, Windows, statistics
from deploy.sandbox.catalogue.taxonomy import Category
from deploy.sandbox.catalogue.view import View

_OFFER_FIELDS = ("offers", "lastStockUpdate")
_OFFER_STATS = ("offerCountFBA", "offerCountFBM", "retrievedOfferCount")
_OFFER_LISTS = ("sellerIdsLowestFBA", "sellerIdsLowestFBM")
_UNKNOWN_TYPE = 4


class NothingRecorded(Exception):  # noqa: N818 - a sentence for whoever gave the folder
    """The folder holds no recorded product."""


def load(folder: Path, minute: int) -> "RecordedCatalogue":
    """Read every recorded product of a folder; of several recordings of one, the newest.

    Raises:
        NothingRecorded: The folder is missing or holds no product.
    """
    if not folder.is_dir():
        raise NothingRecorded(f"The folder of recorded answers does not exist: {folder}.")
    newest: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        for product in _products(path):
            older = newest.get(product["asin"])
            if older is None or older["lastUpdate"] < product["lastUpdate"]:
                newest[product["asin"]] = product
    products = {asin: p for asin, p in newest.items() if p["productType"] != _UNKNOWN_TYPE}
    if not products:
        raise NothingRecorded(f"The folder holds no recorded product: {folder}.")
    return RecordedCatalogue(products, minute)


def _products(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the products of a whole answer, of one object, or of a list of objects."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return
    if isinstance(content, dict):
        content = content.get("products") or [content]
    for entry in content:
        if isinstance(entry, dict) and {"asin", "productType", "lastUpdate", "csv"} <= entry.keys():
            yield entry


class RecordedItem:
    """One recorded product."""

    def __init__(self, product: dict[str, Any], minute: int) -> None:
        delta = minute - newest_instant(product)
        self._product = move_instants(product, lambda instant: instant + delta)
        self._updated = int(self._product["lastUpdate"])
        self.asin: str = product["asin"]
        self.domain: int = product["domainId"]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Fields of the product, with all categories above it."""
        tree = [node["catId"] for node in self._product.get("categoryTree") or ()]
        listed = self._product.get("categories") or ()
        return {**self._product, "categories": [*tree, *listed]}

    @cached_property
    def stats(self) -> dict[str, Any]:
        """The recorded statistics, or what the histories say where none were recorded."""
        recorded = self._product.get("stats")
        return recorded or self._computed(View(minute=self._updated, stats=90))

    def stat(self, name: str, index: int) -> int:
        """Return one number of ``stats``."""
        values = self.stats.get(name) or ()
        return int(values[index]) if index < len(values) else -1

    def count(self, name: str) -> int:
        """Return one scalar of ``stats``."""
        return int(self.stats.get(name) or 0)

    def series(self) -> dict[int, list[tuple[int, int]]]:
        """Return the recorded histories, unpacked."""
        recorded = self._product.get("csv") or ()
        return {index: unpack(index, flat) for index, flat in enumerate(recorded) if flat}

    def one_series(self, index: int) -> list[tuple[int, int]]:
        """Return one recorded history, unpacked."""
        recorded = self._product.get("csv") or ()
        return unpack(index, recorded[index] or []) if index < len(recorded) else []

    def sellers(self) -> list[str]:
        """Return the ids of who offered it when it was recorded."""
        offers = self._product.get("offers") or ()
        order = self._product.get("liveOffersOrder") or ()
        return list(dict.fromkeys(offers[place]["sellerId"] for place in order))

    def updated(self) -> int:
        """Return the minute of the newest refresh."""
        return self._updated

    def refresh(self, now: int) -> None:
        """Take the product as refreshed; what was recorded stays as it is."""
        self._updated = now

    def render(self, view: View) -> dict[str, Any]:
        """Return the product with what the view asks for; more was never recorded."""
        granted = extras(offers=view.offers > 0, buybox=view.buybox, rating=view.rating)
        hidden = ALL_EXTRAS - granted
        product = {**self._product, "lastUpdate": self._updated}
        product["csv"] = self._csv(view, hidden) if view.history else None
        shown = view.stats is not None
        product["stats"] = _without(self.stats, hidden, view) if shown else None
        if not view.offers:
            product = {k: v for k, v in product.items() if k not in _OFFER_FIELDS}
            product |= {"liveOffersOrder": None, "offersSuccessful": False}
        elif "offers" in product:
            _limit(product, view)
        return product

    def _csv(self, view: View, hidden: frozenset[int]) -> list[list[int] | None] | None:
        recorded = self._product.get("csv")
        if recorded is None:
            return None
        start = self._updated - view.days * DAY if view.days is not None else 0
        return [
            None if index in hidden else _since(points, 3 if index in TRIPLES else 2, start)
            for index, points in enumerate(recorded)
        ]

    def _computed(self, view: View) -> dict[str, Any]:
        windows = view.windows(self._updated) or Windows(0, 0, 0)
        return statistics(self.series(), windows)


def unpack(index: int, flat: list[int]) -> list[tuple[int, int]]:
    """Unpack a series; triples count price plus shipping."""
    if index not in TRIPLES:
        return list(zip(flat[::2], flat[1::2], strict=True))
    rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return [(minute, price + max(0, ship) if price >= 0 else -1) for minute, price, ship in rows]


def _since(flat: list[int] | None, stride: int, start: int) -> list[int] | None:
    """Cut a packed history to what holds from ``start`` on."""
    if not flat or flat[0] >= start:
        return flat
    first = max(place for place in range(0, len(flat), stride) if flat[place] <= start)
    return [start, *flat[first + 1 :]]


def _without(stats: dict[str, Any], hidden: frozenset[int], view: View) -> dict[str, Any]:
    """Return the statistics without what was not asked for: -1 in arrays, -2 in scalars."""
    shown = dict(stats)
    for name, values in stats.items():
        if isinstance(values, list) and len(values) > max(hidden, default=0):
            blank = False if name.startswith("isLowest") else None if _pairs(name) else -1
            shown[name] = [blank if i in hidden else value for i, value in enumerate(values)]
    if not view.offers:
        shown |= dict.fromkeys(_OFFER_STATS, -2) | dict.fromkeys(_OFFER_LISTS)
        shown.pop("buyBoxStats", None)
    if not view.offers and not view.buybox:
        shown |= {"buyBoxPrice": -2, "buyBoxShipping": -2}
        shown = {name: v for name, v in shown.items() if not name.startswith("buyBoxUsed")}
    return shown


def _pairs(name: str) -> bool:
    return name.startswith(("min", "max"))


def _limit(product: dict[str, Any], view: View) -> None:
    """Keep no more live offers than were asked for, and only those if asked so."""
    order = (product["liveOffersOrder"] or [])[: view.offers]
    product["liveOffersOrder"] = order
    if view.only_live_offers:
        product["offers"] = [product["offers"][place] for place in order]
        product["liveOffersOrder"] = list(range(len(order)))


class RecordedCatalogue:
    """Recorded products by ASIN and by code."""

    def __init__(self, products: Mapping[str, dict[str, Any]], minute: int) -> None:
        self._items = {asin: RecordedItem(product, minute) for asin, product in products.items()}
        self.tree = _tree(products.values())

    @cached_property
    def _by_code(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for asin, item in self._items.items():
            for name in ("eanList", "upcList", "gtinList"):
                for code in item.facts.get(name) or ():
                    found.setdefault(code, []).append(asin)
        return found

    def asins(self) -> Sequence[str]:
        """Return every ASIN."""
        return list(self._items)

    def find(self, asin: str) -> RecordedItem | None:
        """Return the product, or None when it was not recorded."""
        return self._items.get(asin)

    def by_code(self, code: str) -> list[str]:
        """Return the ASINs that carry a code."""
        return list(dict.fromkeys(self._by_code.get(code, ())))

    def placeholder(self, asin: str, domain: int, view: View) -> dict[str, Any]:
        """Return the type-4 product of an ASIN that was not recorded."""
        return placeholder(asin, domain, view)


def _tree(products: Iterable[dict[str, Any]]) -> dict[int, Category]:
    """Return the categories that the products are in, each below its parent."""
    tree: dict[int, Category] = {}
    for product in products:
        parent = 0
        for node in product.get("categoryTree") or ():
            tree[node["catId"]] = Category(node["catId"], node["name"], parent)
            parent = node["catId"]
    return tree
