"""How many units are for sale near a price."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from services.discovery.domain.product import Offer
from services.discovery.domain.scoring.money import share
from services.discovery.domain.scoring.terms import ACCEPTED_GRADES, Condition

NEAR_PERCENT = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What is for sale within 15 % of a target price.

    Attributes:
        offers: Cheapest first, by what a buyer pays.
    """

    target_cents: int
    low_cents: int
    high_cents: int
    offers: tuple[Offer, ...]

    @property
    def units(self) -> int:
        """Known stock, and one unit for each offer whose stock is not known."""
        return sum(1 if offer.stock is None else offer.stock for offer in self.offers)

    @property
    def known(self) -> int:
        """Offers whose stock is known."""
        return sum(offer.stock is not None for offer in self.offers)

    @property
    def fba(self) -> int:
        """Offers shipped by Amazon."""
        return sum(offer.fba for offer in self.offers)


def stock_near(offers: Iterable[Offer], condition: Condition, target_cents: int) -> Stock:
    """Count live offers of a condition, or a better one of its kind, near a price."""
    low = share(target_cents, Decimal(100 - NEAR_PERCENT))
    high = share(target_cents, Decimal(100 + NEAR_PERCENT))
    grades = ACCEPTED_GRADES[condition]
    near = [one for one in offers if one.condition in grades and low <= _price(one) <= high]
    near.sort(key=lambda one: (_price(one), one.seller_id))
    return Stock(target_cents=target_cents, low_cents=low, high_cents=high, offers=tuple(near))


def _price(offer: Offer) -> int:
    return offer.price_cents + (offer.shipping_cents or 0)
