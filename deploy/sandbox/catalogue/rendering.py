"""One invented book as Keepa's product object."""

from collections.abc import Mapping
from typing import Any

from deploy.sandbox.catalogue import words
from deploy.sandbox.catalogue.book import Book, Quirk
from deploy.sandbox.catalogue.history import DAY, Points
from deploy.sandbox.catalogue.isbn import ean_of, upc_of
from deploy.sandbox.catalogue.offers import (
    buy_box_fields,
    buy_box_stats,
    extra_series,
    offer_fields,
    offer_stats,
)
from deploy.sandbox.catalogue.placeholder import blank_product, blank_stats
from deploy.sandbox.catalogue.sellers import AMAZON_SELLER, landed_shipping
from deploy.sandbox.catalogue.series_index import LENGTH, TRIPLES, Series
from deploy.sandbox.catalogue.statistics import statistics
from deploy.sandbox.catalogue.taxonomy import BOOKS, lineage
from deploy.sandbox.catalogue.view import View

SeriesByIndex = Mapping[int, Points]


def render(
    book: Book, series: SeriesByIndex, view: View, *, domain: int, updated: int, end: int
) -> dict[str, Any]:
    """Return the product as the view asks for it.

    It was refreshed at minute ``updated``; nothing changed since minute ``end``.
    """
    series = {**series, **extra_series(book, end, view)} if series else series
    product = {
        **blank_product(book.asin, domain, updated),
        **_identity(book, updated),
        **_catalogue(book),
        **_sizes(book),
        **_market(book, series, updated),
    }
    if view.history:
        start = updated - view.days * DAY if view.days is not None else None
        product["csv"] = csv(series, start)
        ranks = product["csv"][Series.SALES]
        product["salesRanks"] = {str(BOOKS): ranks} if ranks else None
    windows = view.windows(updated)
    if windows:
        product["stats"] = {
            **blank_stats(),
            **statistics(series, windows),
            **_stats(book, updated),
        }
    if series:
        _add_options(product, book, view, updated)
    return product


def _add_options(product: dict[str, Any], book: Book, view: View, updated: int) -> None:
    """Add what was paid for: the buy box, and the offers."""
    stats = product["stats"] or {}
    if view.offers or view.buybox:
        product |= buy_box_fields(book, updated)
        stats |= buy_box_stats(book, updated)
    if view.offers:
        product |= offer_fields(book, updated, view)
        stats |= offer_stats(book, updated, view)


def csv(series: SeriesByIndex, start: int | None) -> list[list[int] | None]:
    """Return the histories as Keepa packs them, cut to what holds from ``start`` on."""
    packed: list[list[int] | None] = [None] * LENGTH
    for index, points in series.items():
        kept = _since(points, start)
        if index in TRIPLES:
            flat = _triples(kept, free=index == Series.BUY_BOX_SHIPPING)
        else:
            flat = [number for point in kept for number in point]
        packed[index] = flat or None
    return packed


def _since(points: Points, start: int | None) -> Points:
    """Return the points from ``start`` on, with the one that still held then moved to it."""
    if start is None:
        return points
    later = [point for point in points if point[0] > start]
    earlier = points[: len(points) - len(later)]
    return [(start, earlier[-1][1]), *later] if earlier else later


def _triples(points: Points, *, free: bool) -> list[int]:
    """Pack landed prices as ``[time, price, shipping]``; the buy box ships for nothing."""
    flat: list[int] = []
    for minute, landed in points:
        shipping = -1 if landed < 0 else 0 if free else landed_shipping(landed)
        flat += (minute, landed - shipping if landed >= 0 else -1, shipping)
    return flat


def _identity(book: Book, updated: int) -> dict[str, Any]:
    ebay = updated - book.ebay_age if book.ebay_age >= 0 else 0
    ean = ean_of(book.asin)
    return {
        "productType": 2 if book.quirk is Quirk.EBOOK else 0,
        "title": book.title,
        "type": "ABIS_BOOK",
        "eanList": [ean],
        "gtinList": ["0" + ean],
        "upcList": [upc_of(book.publisher)],
        "partNumber": ean,
        "urlSlug": words.slug(book.title),
        "isRedirectASIN": book.quirk is Quirk.REDIRECT,
        "isAdultProduct": book.quirk is Quirk.ADULT,
        "trackingSince": updated - book.tracked_days * DAY,
        "listedSince": updated - (book.tracked_days + 30) * DAY,
        "lastEbayUpdate": ebay,
        "lastRatingUpdate": updated - (book.index * 7_919) % (29 * DAY // 2),
        "g": book.index % 30_000,
    }


def cover_of(book: Book) -> str:
    """Return the file name of the book's picture."""
    return f"{(book.index * 48_271 + 11) % 2**31:08x}L.jpg"


def _catalogue(book: Book) -> dict[str, Any]:
    path = lineage(book.category.id)
    cover = cover_of(book)
    return {
        "rootCategory": BOOKS,
        "categories": [book.category.id],
        "categoryTree": [{"catId": node.id, "name": node.name} for node in path],
        "productGroup": "Book",
        "author": book.author,
        "contributors": [[book.author, "author"]],
        "brand": book.publisher,
        "manufacturer": book.publisher,
        "binding": "Hardcover" if book.hardcover else "Paperback",
        "edition": str(book.edition) if book.edition > 1 else None,
        "languages": [["English", "Published"], ["English", "Original Language"], ["English"]],
        "numberOfPages": book.pages,
        "publicationDate": book.published,
        "releaseDate": book.published,
        "description": f"{book.title}. By {book.author}; {book.pages} pages.",
        "images": [{"l": cover, "lH": 1_500, "lW": 1_000, "m": cover, "mH": 500, "mW": 333}],
        "itemTypeKeyword": "books",
        "salesRankDisplayGroup": "book_display_on_website",
        "websiteDisplayGroup": "book_display_on_website",
        "websiteDisplayGroupName": "Book",
        "isHeatSensitive": False,
    }


def _sizes(book: Book) -> dict[str, int]:
    return {
        "itemHeight": book.length,
        "itemLength": book.width,
        "itemWidth": book.height,
        "itemWeight": book.weight,
        "packageHeight": book.height + 3,
        "packageLength": book.length + 6,
        "packageWidth": book.width + 6,
        "packageWeight": book.weight + 20,
        "packageQuantity": 1,
        "numberOfItems": 1,
    }


def _market(book: Book, series: SeriesByIndex, updated: int) -> dict[str, Any]:
    rank_since = series[Series.SALES][0][0] if series.get(Series.SALES) else updated
    changed = max((points[-1][0] for points in series.values()), default=updated)
    market: dict[str, Any] = {
        "availabilityAmazon": 0 if book.amazon > 0 else -1,
        "buyBoxEligibleOfferCounts": _offer_counts(book),
        "fbaFees": {"lastUpdate": updated - 3 * DAY, "pickAndPackFee": _pick_and_pack(book)},
        "hasReviews": book.reviews > 0,
        "isEligibleForTradeIn": book.trade_in > 0,
        "isEligibleForSuperSaverShipping": book.amazon > 0,
        "lastPriceChange": changed,
        "referralFeePercent": 15,
        "referralFeePercentage": 15.0,
        "variableClosingFee": 180,
        "salesRankReference": BOOKS,
        "salesRankReferenceHistory": [rank_since, BOOKS],
    }
    if book.monthly_sold > 0:
        market["monthlySold"] = book.monthly_sold
        market["monthlySoldHistory"] = [updated - 40 * DAY, book.monthly_sold]
        market["lastSoldUpdate"] = updated - 2 * DAY
    return market


def _offer_counts(book: Book) -> list[int]:
    """Return new FBA, new FBM, used FBA, used FBM, then collectible and refurbished."""
    used_fba = book.count_used // 3
    merchant = book.count_new - book.count_new_fba
    return [book.count_new_fba, merchant, used_fba, book.count_used - used_fba, 0, 0, 0, 0]


def _pick_and_pack(book: Book) -> int:
    """Return about the fulfilment fee of the book's weight, as Keepa's own estimate is."""
    ounces = (book.weight + 20) / 28.35
    return round(316 + 12.2 * min(ounces, 16) + 5.6 * max(0.0, min(ounces, 48) - 16))


def _stats(book: Book, updated: int) -> dict[str, Any]:
    """Return the scalars that come without further options."""
    sold = -10 if book.monthly_sold > 0 else None
    return {
        "totalOfferCount": book.count_new + book.count_used,
        "lastOffersUpdate": updated,
        "buyBoxIsAmazon": book.amazon > 0,
        "buyBoxSellerId": AMAZON_SELLER if book.amazon > 0 else None,
        "buyBoxAvailabilityMessage": "IN_STOCK" if book.amazon > 0 else None,
        "deltaPercent90_monthlySold": sold,
    }
