"""Who offers a book right now, at which price; the lowest agree with the book's own prices."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from deploy.sandbox.catalogue.book import Book

AMAZON_SELLER = "ATVPDKIKX0DER"
MERCHANTS = 400
"""How many there are beside Amazon; each sells many books."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_GRADES = (2, 3, 4, 5)  # like new, very good, good, acceptable
_GRADE_WORTH = {2: 1.35, 3: 1.18, 4: 1.05, 5: 1.0}
_GRADE_SHARES = (1, 3, 4, 2)


@dataclass(frozen=True)
class Seller:
    """One live offer.

    Attributes:
        condition: 1 new, 2 to 5 used from like new to acceptable.
        landed: Price with shipping, in cents.
    """

    id: str
    condition: int
    fba: bool
    landed: int

    @property
    def is_amazon(self) -> bool:
        """Whether it is Amazon itself."""
        return self.id == AMAZON_SELLER


def shipping_of(seller: Seller) -> int:
    """Return how much of the landed price is shipping: none from Amazon's own stock."""
    return 0 if seller.fba else landed_shipping(seller.landed)


def landed_shipping(landed: int) -> int:
    """Return a merchant's shipping: even prices of $8 and up carry $3.99 of it."""
    return 399 if landed >= 800 and landed % 2 == 0 else 0


@lru_cache(maxsize=512)
def live_sellers(book: Book) -> tuple[Seller, ...]:
    """Return the live offers, best first: the buy box, new by price, the used box, used by price."""
    rng = random.Random(book.index * 131 + 3)  # noqa: S311
    ids = _merchants(rng, book.count_new + book.count_used)
    new = sorted(_new(ids, book), key=lambda seller: (not seller.fba, seller.landed))
    used = sorted(_used(rng, ids, book), key=lambda seller: seller.landed)
    if book.used_box > 0:
        used.insert(0, Seller(next(ids), 3, fba=True, landed=book.used_box))
    return (*new, *used)


def lowest(sellers: Sequence[Seller], *, condition: int, fba: bool | None = None) -> int:
    """Return the lowest landed price of a condition, or -1."""
    prices = [s.landed for s in sellers if s.condition == condition and fba in {None, s.fba}]
    return min(prices, default=-1)


@cache
def merchant_id(number: int) -> str:
    """Return the id of one of the ``MERCHANTS``, as Amazon forms them."""
    rng = random.Random(number)  # noqa: S311
    return "A" + "".join(rng.choices(_LETTERS, k=13))


def _merchants(rng: random.Random, count: int) -> Iterator[str]:
    """Yield the ids of that many different merchants."""
    return (merchant_id(number) for number in rng.sample(range(MERCHANTS), count))


def _new(ids: Iterator[str], book: Book) -> list[Seller]:
    amazon = book.amazon > 0
    sellers = [Seller(AMAZON_SELLER, 1, fba=True, landed=book.amazon)] if amazon else []
    for place in range(book.count_new_fba - amazon):
        price = round(book.buy_box * (1.01 if amazon else 1) * (1 + 0.03 * place))
        sellers.append(Seller(next(ids), 1, fba=True, landed=price))
    for place in range(book.count_new - book.count_new_fba):
        price = round(book.new * (1 + 0.05 * place))
        sellers.append(Seller(next(ids), 1, fba=False, landed=price))
    return sellers


def _used(rng: random.Random, ids: Iterator[str], book: Book) -> list[Seller]:
    count = book.count_used - (book.used_box > 0)
    grades = sorted(rng.choices(_GRADES, _GRADE_SHARES, k=count), reverse=True)
    worst = _GRADE_WORTH[grades[0]] if grades else 1.0
    return [
        Seller(
            next(ids),
            grade,
            fba=rng.random() < 0.3,
            landed=round(book.used * _GRADE_WORTH[grade] / worst * (1 + 0.04 * place)),
        )
        for place, grade in enumerate(grades)
    ]
