"""What Keepa answers for an ASIN it does not know: a whole product full of nothing."""

from typing import Any

from deploy.sandbox.catalogue.series_index import LENGTH
from deploy.sandbox.catalogue.statistics import statistics
from deploy.sandbox.catalogue.view import View

_NULLS = (
    "author",
    "binding",
    "brand",
    "buyBoxSellerIdHistory",
    "categories",
    "categoryTree",
    "color",
    "coupon",
    "csv",
    "description",
    "eanList",
    "ebayListingIds",
    "edition",
    "fbaFees",
    "features",
    "format",
    "frequentlyBoughtTogether",
    "images",
    "languages",
    "liveOffersOrder",
    "manufacturer",
    "model",
    "parentAsin",
    "partNumber",
    "productGroup",
    "promotions",
    "salesRankReferenceHistory",
    "salesRanks",
    "size",
    "stats",
    "title",
    "type",
    "upcList",
    "variations",
)
_FALSE = (
    "hasReviews",
    "isAdultProduct",
    "isEligibleForSuperSaverShipping",
    "isEligibleForTradeIn",
    "isRedirectASIN",
    "isSNS",
    "launchpad",
    "offersSuccessful",
)
_UNKNOWN = (
    "itemHeight",
    "itemLength",
    "itemWeight",
    "itemWidth",
    "lastRatingUpdate",
    "numberOfItems",
    "numberOfPages",
    "packageHeight",
    "packageLength",
    "packageQuantity",
    "packageWeight",
    "packageWidth",
    "publicationDate",
    "releaseDate",
    "salesRankReference",
)
_NULL_STATS = (
    "buyBoxAvailabilityMessage",
    "buyBoxCondition",
    "buyBoxIsAmazon",
    "buyBoxIsBackorder",
    "buyBoxIsFBA",
    "buyBoxIsFreeShippingEligible",
    "buyBoxIsMAP",
    "buyBoxIsPreorder",
    "buyBoxIsPrimeEligible",
    "buyBoxIsPrimeExclusive",
    "buyBoxIsShippable",
    "buyBoxIsUnqualified",
    "buyBoxIsUsed",
    "buyBoxIsWarehouseDeal",
    "buyBoxSellerId",
    "buyBoxShippingCountry",
    "deltaPercent90_monthlySold",
    "lastBuyBoxUpdate",
    "lightningDealInfo",
    "sellerIdsLowestFBA",
    "sellerIdsLowestFBM",
)
_NOT_ASKED = (
    "buyBoxPrice",
    "buyBoxShipping",
    "offerCountFBA",
    "offerCountFBM",
    "retrievedOfferCount",
    "tradeInPrice",
)


def blank_product(asin: str, domain: int, minute: int) -> dict[str, Any]:
    """Return every field that Keepa sends of any product, unknown; type 4 makes it a placeholder.

    Source:
        keepa_samples/product_us_invalid_asin_response.json, in the schema of 2026.
    """
    return {
        **dict.fromkeys(_NULLS),
        **dict.fromkeys(_FALSE, False),
        **dict.fromkeys(_UNKNOWN, -1),
        "asin": asin,
        "domainId": domain,
        "productType": 4,
        "availabilityAmazon": -1,
        "g": 1,
        "lastEbayUpdate": 0,
        "lastPriceChange": minute,
        "lastUpdate": minute,
        "listedSince": 0,
        "rootCategory": 0,
        "trackingSince": minute,
    }


def blank_stats() -> dict[str, Any]:
    """Return the parts of ``stats`` that do not come from series, unknown or not asked for."""
    return {
        **dict.fromkeys(_NULL_STATS),
        **dict.fromkeys(_NOT_ASKED, -2),
        "lastOffersUpdate": -1,
        "totalOfferCount": 0,
    }


def placeholder(asin: str, domain: int, view: View) -> dict[str, Any]:
    """Return the type-4 product for an ASIN that does not exist."""
    product = blank_product(asin, domain, view.minute)
    product["csv"] = [None] * LENGTH if view.history else None
    windows = view.windows(view.minute)
    if windows:
        product["stats"] = {**blank_stats(), **statistics({}, windows)}
    return product
