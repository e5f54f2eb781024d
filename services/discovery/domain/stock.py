"""How many units are for sale near a price."""

from collections.abc import Callable, Iterable
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
        offers: Cheapest first, by what a buyer pays; None when nobody could read them, which
            is not the same as none.
    """

    target_cents: int
    low_cents: int
    high_cents: int
    offers: tuple[Offer, ...] | None

    @property
    def units(self) -> int | None:
        """Known stock, and one unit for each offer whose stock is not known."""
        return self._sum(lambda offer: 1 if offer.stock is None else offer.stock)

    @property
    def count(self) -> int | None:
        """All of the offers."""
        return self._sum(lambda _: 1)

    @property
    def known(self) -> int | None:
        """Offers whose stock is known."""
        return self._sum(lambda offer: offer.stock is not None)

    @property
    def fba(self) -> int | None:
        """Offers shipped by Amazon."""
        return self._sum(lambda offer: offer.fba)

    def _sum(self, worth: Callable[[Offer], int]) -> int | None:
        return None if self.offers is None else sum(map(worth, self.offers))


def stock_near(offers: Iterable[Offer] | None, condition: Condition, target_cents: int) -> Stock:
    """Count live offers of a condition, or a better one of its kind, near a price."""
    low = share(target_cents, Decimal(100 - NEAR_PERCENT))
    high = share(target_cents, Decimal(100 + NEAR_PERCENT))
    near = None if offers is None else _near(offers, condition, low, high)
    return Stock(target_cents=target_cents, low_cents=low, high_cents=high, offers=near)


def _near(offers: Iterable[Offer], condition: Condition, low: int, high: int) -> tuple[Offer, ...]:
    grades = ACCEPTED_GRADES[condition]
    near = [one for one in offers if one.condition in grades and low <= _price(one) <= high]
    return tuple(sorted(near, key=lambda one: (_price(one), one.seller_id)))


def _price(offer: Offer) -> int:
    return offer.price_cents + (offer.shipping_cents or 0)
