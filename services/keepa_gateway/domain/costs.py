"""What a Keepa call can cost, told before it is sent: least, expected and most.

Source: keepa.com API documentation of 2026 and 303 measured offers calls. The most is what is
reserved, so it must hold for every answer; the expected is for people; the least for estimates.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

OFFERS_PER_PAGE = 10
TOKENS_PER_OFFERS_PAGE = 6
# Surcharges seen on top of offers pages: 2 for stock, 1 for a fresh update, 1 for the rating.
OFFERS_SURCHARGES = 4
# Mean of 303 measured calls with 20 offers each, in hundredths of a token.
OFFERS_MEAN_HUNDREDTHS = 626
# Insights cost 1 token per started million of matches; no marketplace holds a thousand million.
INSIGHTS_MOST = 30 + 1_000
FULL_LIGHTNING_LIST = 500


@dataclass(frozen=True, slots=True)
class Cost:
    """A range of whole tokens.

    Attributes:
        least: What the call costs when Keepa finds nothing or fails.
        expected: What such calls usually cost.
        most: What no documented answer exceeds; the size of the reservation.
    """

    least: int
    expected: int
    most: int

    def __add__(self, other: Self) -> "Cost":
        return Cost(
            self.least + other.least, self.expected + other.expected, self.most + other.most
        )

    def times(self, count: int) -> "Cost":
        """The cost of ``count`` things of this cost."""
        return Cost(self.least * count, self.expected * count, self.most * count)

    @staticmethod
    def exactly(tokens: int) -> "Cost":
        """A price that is known beforehand."""
        return Cost(tokens, tokens, tokens)


FREE = Cost(0, 0, 0)


def total(costs: Iterable[Cost]) -> Cost:
    """Add up the costs of several calls."""
    return sum(costs, start=FREE)


def plain_product(
    *, update_hours: int | None, rating: bool, buybox: bool, historical_variations: bool
) -> Cost:
    """One product without offers.

    ``update_hours`` -1 never refreshes, and is free for a product Keepa does not hold; 0 always
    does, and costs 1 more when Keepa's data is younger than an hour.
    """
    fixed = 2 if buybox else 0
    expected = 1 + fixed + int(rating)
    most = expected + int(update_hours == 0) + int(historical_variations)
    return Cost(0 if update_hours == -1 else 1, expected, most)


def product_with_offers(
    count: int, *, offers: int, update_hours: int | None, historical_variations: bool
) -> Cost:
    """Some products with their offers; nobody can know the price of one before the answer.

    Keepa takes 6 for each page of up to 10 offers it finds, 5 when there are none, 1 when fetching
    failed, and adds for stock, rating and refreshes. At 20 offers the most is 16; 13 was seen.
    """
    pages = -(-offers // OFFERS_PER_PAGE)
    surcharges = OFFERS_SURCHARGES + int(historical_variations)
    expected = -(-count * OFFERS_MEAN_HUNDREDTHS // 100) + count * int(update_hours == 0)
    least = 0 if update_hours == -1 else count
    return Cost(least, expected, count * (TOKENS_PER_OFFERS_PAGE * pages + surcharges))


def finder(*, per_page: int, insights: bool) -> Cost:
    """One page of the Product Finder: 10, and 1 per started 100 ASINs on the page."""
    most = 10 + -(-per_page // 100)
    if insights:
        return Cost(10 + 30, most + 30 + 1, most + INSIGHTS_MOST)
    return Cost(10, most, most)


def best_sellers() -> Cost:
    """One best-seller list: 50, even for an empty list; nothing for a category without one."""
    return Cost(0, 50, 50)


def top_sellers() -> Cost:
    """The list of top sellers of a marketplace."""
    return Cost(0, 50, 50)


def deals() -> Cost:
    """One page of up to 150 deals, none included."""
    return Cost.exactly(5)


def categories() -> Cost:
    """One look-up of up to ten categories, or of all roots."""
    return Cost.exactly(1)


def category_search() -> Cost:
    """One search for categories by words."""
    return Cost.exactly(1)


def product_search(*, update_hours: int | None, rating: bool) -> Cost:
    """One search for up to 20 products; refreshing adds up to 1 for each, ratings up to 5."""
    most = 10 + (20 if update_hours in (0, 1) else 0) + (5 if rating else 0)
    return Cost(10, 10 + (2 if rating else 0), most)


def sellers(count: int, *, storefront: bool) -> Cost:
    """Sellers by id: 1 for each that is found, 9 more for a storefront."""
    each = 10 if storefront else 1
    return Cost(0, count * each, count * each)


def seller_finder(*, per_page: int) -> Cost:
    """One page of the Seller Finder: 10, and 1 per started 100 sellers."""
    most = 10 + -(-per_page // 100)
    return Cost(10, most, most)


def lightning_deals(*, full_list: bool) -> Cost:
    """Lightning deals: 1 for one ASIN, 500 for the list of a marketplace."""
    return Cost.exactly(FULL_LIGHTNING_LIST if full_list else 1)


def trackings_added(count: int) -> Cost:
    """Trackings to add; reading and removing them is free, but each slows the refill."""
    return Cost(0, count, count)


def graph_image() -> Cost:
    """One chart; free when the same was asked for within 90 minutes."""
    return Cost(0, 1, 1)


def token_status() -> Cost:
    """The balance itself."""
    return FREE
