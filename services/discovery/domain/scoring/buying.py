"""The buying price and where it comes from, in order of how much it can be trusted."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.discovery.domain.product import Kind, Offer, ProductFacts
from services.discovery.domain.scoring import history
from services.discovery.domain.scoring.money import share
from services.discovery.domain.scoring.selling import SellPrice
from services.discovery.domain.scoring.terms import ACCEPTED_GRADES, Channel, Terms

FRESH = timedelta(days=7)
LANDED_PRICES_SINCE = datetime(2026, 2, 23, tzinfo=UTC)
"""From this day Keepa's USED price includes shipping; before, the full cost is not known."""


class BuyBasis(StrEnum):
    """Where a buying price comes from; only ASSUMED is invented, and it decides nothing."""

    USER = "USER"
    OFFER = "OFFER"
    EBAY_USED = "EBAY_USED"
    EBAY_NEW = "EBAY_NEW"
    USED_FBM = "USED_FBM"
    ASSUMED = "ASSUMED"


@dataclass(frozen=True, slots=True)
class BuyPrice:
    """What one copy costs at its source, shipping to the reseller included where it is known.

    Attributes:
        unknown_seller: Bought from somebody whose goods nobody vouches for.
    """

    cents: int
    basis: BuyBasis
    unknown_seller: bool = False


def buy_price(product: ProductFacts, terms: Terms, sell: SellPrice, as_of: datetime) -> BuyPrice:
    """Choose the most trustworthy price; with none, assume a fraction and say so."""
    if terms.cost_cents is not None:
        return BuyPrice(terms.cost_cents, BuyBasis.USER)
    return (
        _offer(product, terms, as_of)
        or _ebay(product, terms, as_of)
        or _flip(product, terms, sell)
        or BuyPrice(share(sell.cents, terms.rules.assumed_percent), BuyBasis.ASSUMED)
    )


def _offer(product: ProductFacts, terms: Terms, as_of: datetime) -> BuyPrice | None:
    """Take the cheapest live offer of the condition or a better one."""
    wanted = [
        (offer.price_cents + offer.shipping_cents, offer)
        for offer in product.offers or ()
        if offer.shipping_cents is not None and _acceptable(offer, terms, as_of)
    ]
    if not wanted:
        return None
    price, offer = min(wanted, key=lambda pair: (pair[0], pair[1].seller_id))
    return BuyPrice(price, BuyBasis.OFFER, not (offer.amazon or offer.warehouse_deal))


def _acceptable(offer: Offer, terms: Terms, as_of: datetime) -> bool:
    return (
        offer.condition in ACCEPTED_GRADES[terms.condition]
        and offer.price_cents > 0
        and not offer.scam
        and offer.seller_id not in terms.own_sellers
        and as_of - offer.seen_at <= FRESH
    )


def _ebay(product: ProductFacts, terms: Terms, as_of: datetime) -> BuyPrice | None:
    """Take eBay's price for the condition when it was looked up in the last 7 days."""
    if product.ebay_updated_at is None or as_of - product.ebay_updated_at > FRESH:
        return None
    used = terms.condition.used
    kind = Kind.EBAY_USED if used else Kind.EBAY_NEW
    price = product.statistics.current.get(kind)
    if price is None and kind in product.series:
        price = history.current(product.series[kind], as_of)
    basis = BuyBasis.EBAY_USED if used else BuyBasis.EBAY_NEW
    return None if price is None else BuyPrice(price, basis, unknown_seller=True)


def _flip(product: ProductFacts, terms: Terms, sell: SellPrice) -> BuyPrice | None:
    """Take the lowest used price when the copy sells through FBA at a better one."""
    if not terms.condition.used or terms.channel is not Channel.FBA or sell.series is Kind.USED:
        return None
    if product.updated_at is None or product.updated_at < LANDED_PRICES_SINCE:
        return None
    lowest = product.statistics.current.get(Kind.USED)
    if lowest is None or lowest >= sell.cents:
        return None
    return BuyPrice(lowest, BuyBasis.USED_FBM, unknown_seller=True)
