"""The catalogue grown from a seed: every book is drawn when it is first needed."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from deploy.sandbox.catalogue import taxonomy
from deploy.sandbox.catalogue.book import Book, Quirk, draw_book
from deploy.sandbox.catalogue.history import Points, free_series, one_series
from deploy.sandbox.catalogue.isbn import asin_of, ean_of, upc_of
from deploy.sandbox.catalogue.offers import extra_series
from deploy.sandbox.catalogue.placeholder import placeholder
from deploy.sandbox.catalogue.rendering import cover_of, render
from deploy.sandbox.catalogue.sellers import live_sellers
from deploy.sandbox.catalogue.series_index import ALL_EXTRAS, Series
from deploy.sandbox.catalogue.statistics import DAY, Windows, statistics
from deploy.sandbox.catalogue.view import View

AMAZON_COM = 1
HISTORIES_KEPT = 200
UPC_DIGITS = 12
_EVERYTHING = View(minute=0, offers=20)
_CURRENT = {
    Series.AMAZON: "amazon",
    Series.NEW: "new",
    Series.USED: "used",
    Series.SALES: "rank",
    Series.LISTPRICE: "list_price",
    Series.COUNT_NEW: "count_new",
    Series.COUNT_USED: "count_used",
    Series.EBAY_NEW_SHIPPING: "ebay_new",
    Series.EBAY_USED_SHIPPING: "ebay_used",
    Series.TRADE_IN: "trade_in",
    Series.BUY_BOX_SHIPPING: "buy_box",
}


class GeneratedItem:
    """One book of the generated catalogue, with its history once that was needed."""

    domain = AMAZON_COM

    def __init__(self, book: Book, home: "GeneratedCatalogue") -> None:
        self.book = book
        self._home = home
        self._rows: dict[int, dict[str, Any]] = {}

    @property
    def asin(self) -> str:
        """The product's ASIN."""
        return self.book.asin

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What does not change with time, by Keepa's field names."""
        book = self.book
        path = taxonomy.lineage(book.category.id)
        return {
            "title": book.title,
            "author": book.author,
            "brand": book.publisher,
            "manufacturer": book.publisher,
            "binding": "Hardcover" if book.hardcover else "Paperback",
            "productType": 2 if book.quirk is Quirk.EBOOK else 0,
            "rootCategory": taxonomy.BOOKS,
            "categories": [node.id for node in path],
            "images": [{"m": cover_of(book)}],
            "availabilityAmazon": 0 if book.amazon > 0 else -1,
            "monthlySold": book.monthly_sold,
            "numberOfPages": book.pages,
            "packageWeight": book.weight + 20,
            "publicationDate": book.published,
            "isAdultProduct": book.quirk is Quirk.ADULT,
        }

    def stat(self, name: str, index: int) -> int:
        """Return one number of ``stats``; a current one without telling the whole history."""
        if self.book.quirk is Quirk.EBOOK:
            return -1
        if name == "current" and index in _CURRENT:
            return int(getattr(self.book, _CURRENT[Series(index)]))
        return int(self._row(index)[name])

    def count(self, name: str) -> int:
        """Return one scalar of ``stats`` that follows from the sales rank."""
        return -1 if self.book.quirk is Quirk.EBOOK else int(self._row(Series.SALES)[name])

    def _row(self, index: int) -> dict[str, Any]:
        """Return what ``stats`` says about one series; the others stay untold."""
        if index not in self._rows:
            end = self._home.minute
            points = self._home.one(self.book, index)
            stats = statistics({index: points}, Windows(end, end - 90 * DAY, end))
            rows = {n: v[index] if isinstance(v, list) else v for n, v in stats.items()}
            self._rows[index] = rows
        return self._rows[index]

    def series(self) -> dict[int, Points]:
        """Return the free series."""
        return self._home.series(self.book)

    def one_series(self, index: int) -> Points:
        """Return one series."""
        return [] if self.book.quirk is Quirk.EBOOK else self._home.one(self.book, index)

    def sellers(self) -> list[str]:
        """Return the ids of who offers it now."""
        return [] if self.book.quirk is Quirk.EBOOK else [s.id for s in live_sellers(self.book)]

    def updated(self) -> int:
        """Return the minute of the newest refresh."""
        return self._home.refreshed.get(self.asin, self._home.minute - self.book.update_age)

    def refresh(self, now: int) -> None:
        """Remember that the product was refreshed at minute ``now``."""
        self._home.refreshed[self.asin] = now

    def render(self, view: View) -> dict[str, Any]:
        """Return Keepa's product object."""
        updated = self.updated()
        end = self._home.minute - self.book.update_age
        return render(self.book, self.series(), view, domain=self.domain, updated=updated, end=end)


class GeneratedCatalogue:
    """Books by ASIN and by ISBN-13; the same seed gives the same books.

    Args:
        seed: Any whole number.
        size: How many books there are.
        minute: The Keepa minute that every history ends at.
    """

    tree = taxonomy.CATEGORIES

    def __init__(self, *, seed: int, size: int, minute: int) -> None:
        self.minute = minute
        self.seed = seed
        self.refreshed: dict[str, int] = {}
        self._items: dict[str, GeneratedItem] = {}
        self._series: OrderedDict[str, dict[int, Points]] = OrderedDict()
        self._index = {asin_of(seed, index): index for index in range(size)}

    @cached_property
    def _by_code(self) -> dict[str, str]:
        return {ean_of(asin): asin for asin in self._index}

    def asins(self) -> Sequence[str]:
        """Return every ASIN, withdrawn ones included."""
        return list(self._index)

    def find(self, asin: str) -> GeneratedItem | None:
        """Return the book, or None when Keepa knows nothing of it."""
        item = self._items.get(asin)
        if item is None and asin in self._index:
            item = GeneratedItem(draw_book(self.seed, self._index[asin]), self)
            self._items[asin] = item
        return None if item is None or item.book.quirk is Quirk.WITHDRAWN else item

    @cached_property
    def _by_upc(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for asin in self._index:
            if item := self.find(asin):
                found.setdefault(upc_of(item.book.publisher), []).append(asin)
        return found

    def by_code(self, code: str) -> list[str]:
        """Return the ASINs of an EAN, an ISBN-13 or an ISBN-10; a publisher's UPC has many."""
        asin = self._by_code.get(code) or (code if code in self._index else None)
        if asin:
            return [asin] if self.find(asin) else []
        return self._by_upc.get(code, []) if len(code) == UPC_DIGITS else []

    def placeholder(self, asin: str, domain: int, view: View) -> dict[str, Any]:
        """Return the product for an ASIN that ``find`` does not know."""
        return placeholder(asin, domain, view)

    def one(self, book: Book, index: int) -> Points:
        """Return one series of a book, also one that costs extra."""
        end = self.minute - book.update_age
        if index in ALL_EXTRAS:
            return extra_series(book, end, _EVERYTHING).get(index, [])
        known = self._series.get(book.asin)
        return known.get(index, []) if known else one_series(book, end, index)

    def series(self, book: Book) -> dict[int, Points]:
        """Return a book's free series, told anew when they were not used for long."""
        if book.quirk is Quirk.EBOOK:
            return {}
        known = self._series.get(book.asin)
        if known is None:
            known = free_series(book, self.minute - book.update_age)
            self._series[book.asin] = known
            if len(self._series) > HISTORIES_KEPT:
                self._series.popitem(last=False)
        return known
