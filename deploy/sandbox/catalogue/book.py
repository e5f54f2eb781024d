"""One invented book as it stands now; its past is derived from this."""

import math
import random
from dataclasses import dataclass
from enum import Enum
from typing import Any

from deploy.sandbox.catalogue import words
from deploy.sandbox.catalogue.isbn import asin_of
from deploy.sandbox.catalogue.taxonomy import LEAVES, Category

ABSENT = -1
_MINUTES_PER_DAY = 1_440
_LEAF_SHARES = [leaf.share for leaf in LEAVES]


class Story(Enum):
    """Why a reseller would or would not buy the book; its shares are in ``_STORIES``."""

    BARGAIN = "cheap on eBay, in demand on Amazon"
    FAIR = "eBay asks nearly what Amazon pays"
    THIN = "a margin, but a small one"
    UNPRICED = "no current eBay price"
    AMAZON = "Amazon itself sells it"
    VOLATILE = "its price jumps about"
    CROWDED = "too many sellers"


_STORIES = {
    Story.BARGAIN: 34,
    Story.FAIR: 15,
    Story.THIN: 12,
    Story.UNPRICED: 14,
    Story.AMAZON: 11,
    Story.VOLATILE: 7,
    Story.CROWDED: 7,
}


_GAPPED = {Story.BARGAIN: 0.5, Story.UNPRICED: 0.4}
"""How often a merchant asks far less than the buy boxes: what only fetched offers can show."""

_USED_WORTH = {Story.BARGAIN: (0.6, 0.85)}
"""What a used copy costs relative to a new one, where it is not the usual 0.42 to 0.74."""


class Quirk(Enum):
    """What makes a product unfit whatever its prices; most have none."""

    NONE = "none"
    ADULT = "adult"
    REDIRECT = "redirect"
    EBOOK = "e-book"
    WITHDRAWN = "withdrawn"


_QUIRKS = {
    Quirk.NONE: 955,
    Quirk.ADULT: 12,
    Quirk.REDIRECT: 10,
    Quirk.EBOOK: 13,
    Quirk.WITHDRAWN: 10,
}


@dataclass(frozen=True, slots=True)
class Book:
    """The present of one book. Prices are cents, -1 is absent; sizes are mm and grams.

    Attributes:
        sold_monthly: Rank drops a month, the nearest that Keepa has to sales.
        ebay_age: Minutes since eBay was looked at, or -1 when it never was.
        update_age: Minutes since the product was last refreshed.
        used_box: What Amazon's own used copy asks in the used buy box, far above the lowest; -1
            when the lowest has that box.
        swing: Relative spread of its prices from one change to the next.
    """

    asin: str
    index: int
    category: Category
    story: Story
    quirk: Quirk
    title: str
    author: str
    publisher: str
    hardcover: bool
    edition: int
    pages: int
    published: int
    height: int
    length: int
    width: int
    weight: int
    tracked_days: int
    rank: int
    sold_monthly: float
    new: int
    used: int
    amazon: int
    list_price: int
    buy_box: int
    used_box: int
    ebay_new: int
    ebay_used: int
    trade_in: int
    count_new: int
    count_new_fba: int
    count_used: int
    monthly_sold: int
    rating: int
    reviews: int
    swing: float
    ebay_age: int
    update_age: int


def draw_book(seed: int, index: int) -> Book:
    """Return the ``index``-th book of the catalogue grown from ``seed``."""
    rng = random.Random((seed << 24) ^ index ^ 0x5EED)  # noqa: S311 - invention, not secrecy
    category = rng.choices(LEAVES, _LEAF_SHARES)[0]
    story = rng.choices(list(_STORIES), list(_STORIES.values()))[0]
    quirk = rng.choices(list(_QUIRKS), list(_QUIRKS.values()))[0]
    shape = _shape(rng, category)
    demand = _demand(rng)
    prices = _prices(rng, category, story, shape["weight"])
    counts = _counts(rng, story)
    if not counts["count_new_fba"]:
        prices |= {"buy_box": prices["new"], "used_box": ABSENT}
    if prices["used_box"] > 0:
        counts["count_used"] += 1
    edition = rng.choices((1, 2, 3, 4, 5), (70, 12, 9, 6, 3))[0]
    return Book(
        asin=asin_of(seed, index),
        index=index,
        category=category,
        story=story,
        quirk=quirk,
        title=words.title(rng, category, edition),
        author=words.author(rng),
        publisher=words.publisher(rng),
        edition=edition,
        published=_published(rng),
        tracked_days=rng.randint(420, 2_400),
        rating=rng.randint(34, 49),
        reviews=int(rng.lognormvariate(4, 1.3)),
        swing=0.22 if story is Story.VOLATILE else rng.uniform(0.01, 0.045),
        update_age=rng.randint(3, 70) if rng.random() < 0.3 else rng.randint(60, 1_300),
        **shape,
        **demand,
        **prices,
        **counts,
    )


def _published(rng: random.Random) -> int:
    """Return a publication date as YYYYMMDD."""
    return rng.randint(2009, 2025) * 10_000 + rng.randint(1, 12) * 100 + rng.randint(1, 28)


def _shape(rng: random.Random, category: Category) -> dict[str, Any]:
    """Return sizes and weight: heavier for textbooks, thin for children."""
    hardcover = rng.random() < (0.45 if category.textbook else 0.2)
    pages = int(
        rng.triangular(220, 980, 480) if category.textbook else rng.triangular(96, 520, 260)
    )
    pages = pages // 6 if category.parent == 4 else pages
    length = rng.randint(228, 280) if category.textbook else rng.randint(190, 236)
    width = int(length * rng.uniform(0.64, 0.8))
    thickness = max(5, int(pages * 0.055) + (6 if hardcover else 1))
    weight = max(60, int(length * width * thickness * 0.00072))
    return {
        "hardcover": hardcover,
        "pages": max(24, pages),
        "height": thickness,
        "length": length,
        "width": width,
        "weight": weight,
    }


def _demand(rng: random.Random) -> dict[str, Any]:
    """Return a rank, the rank drops that go with it, and seldom Amazon's own sales figure."""
    span = rng.choices(((300, 10e3), (10e3, 80e3), (80e3, 400e3), (400e3, 3e6)), (9, 47, 28, 16))[0]
    rank = round(math.exp(rng.uniform(math.log(span[0]), math.log(span[1]))))
    sold = min(38.0, 1.25 * (1e6 / rank) ** 0.93) * rng.lognormvariate(0, 0.25)
    shown = rank < 60_000 and rng.random() < 0.06
    monthly = max(50, round(3e6 / rank / 50) * 50) if shown else ABSENT
    return {"rank": rank, "sold_monthly": max(0.08, sold), "monthly_sold": monthly}


def _prices(rng: random.Random, category: Category, story: Story, weight: int) -> dict[str, Any]:
    """Return what everybody asks for the book at this moment."""
    new = _priced(rng, max(599, category.median_cents * rng.lognormvariate(0, 0.42)))
    used = _priced(rng, new * rng.uniform(*_USED_WORTH.get(story, (0.42, 0.74))))
    dear = max(new, _priced(rng, new * rng.uniform(1.0, 1.06)))
    amazon = dear if story is Story.AMAZON else ABSENT
    never = story is Story.UNPRICED and rng.random() < 0.5
    fresh = rng.randint(20, 4_500)
    stale = rng.randint(12, 160) * _MINUTES_PER_DAY
    priced = (
        {}
        if never
        else {
            "ebay_new": _ebay(rng, story, new, weight, greed=0.0),
            "ebay_used": _ebay(rng, story, used, weight, greed=0.25),
        }
    )
    return {
        "new": new,
        "used": used,
        "amazon": amazon,
        "list_price": _priced(rng, new * rng.uniform(1.02, 1.6)),
        **_boxes(rng, story, new, used, amazon),
        "trade_in": int(used * 0.3) if rng.random() < 0.25 else ABSENT,
        "ebay_new": ABSENT,
        "ebay_used": ABSENT,
        **priced,
        "ebay_age": ABSENT if never else stale if story is Story.UNPRICED else fresh,
    }


def _boxes(rng: random.Random, story: Story, new: int, used: int, amazon: int) -> dict[str, Any]:
    """Return what the new and the used buy box ask."""
    if rng.random() < _GAPPED.get(story, 0.0):
        return {
            "buy_box": _priced(rng, new * rng.uniform(1.7, 2.3)),
            "used_box": _priced(rng, min(1.6 * new, used * rng.uniform(1.8, 2.4))),
        }
    return {"buy_box": amazon if amazon > 0 else _buy_box(rng, new), "used_box": ABSENT}


def _buy_box(rng: random.Random, new: int) -> int:
    """Return the buy box's price: the lowest, or a little above it."""
    return max(new, _priced(rng, new * rng.choice((1, 1, 1.03, 1.08))))


def _ebay(rng: random.Random, story: Story, sell: int, weight: int, *, greed: float) -> int:
    """Return the landed eBay price at which the story comes true for a sale at ``sell``.

    ``greed`` is added to the return: a small sum needs a larger one to be worth the work.
    """
    wanted = {
        Story.BARGAIN: rng.uniform(0.38, 1.25),
        Story.CROWDED: rng.uniform(0.3, 0.8),
        Story.VOLATILE: rng.uniform(0.3, 0.9),
        Story.THIN: rng.uniform(0.14, 0.3),
    }.get(story)
    net = _rough_net(sell, weight)
    if wanted is None or net < 350:
        return _priced(rng, sell * rng.uniform(0.72, 0.98))
    return max(199, round(net / (1 + wanted + greed)) - 20 - _inbound(weight))


def _rough_net(sell: int, weight: int) -> int:
    """Return about what Amazon leaves of a sale; enough to place a price on either side."""
    ounces = weight / 28.35
    handling = 330 + 11 * min(ounces, 48) + 2 * max(0.0, ounces - 48)
    return round(sell * 0.77 - 180 - handling - 60)


def _inbound(weight: int) -> int:
    return round(40 * weight / 453.6)


def _counts(rng: random.Random, story: Story) -> dict[str, Any]:
    """Return how many sellers there are; few enough that one page of offers nearly always does."""
    crowded = story is Story.CROWDED
    amazon = int(story is Story.AMAZON)
    usual = rng.choices((0, 1, 2, 3, 4, 5), (5, 24, 28, 22, 13, 8))[0]
    fba = rng.randint(6, 9) if crowded else usual
    merchant = rng.choices((1, 2), (7, 3))[0]
    return {
        "count_new_fba": fba + amazon,
        "count_new": fba + merchant + amazon,
        "count_used": 1 if crowded else rng.randint(1, 3),
    }


def _priced(rng: random.Random, cents: float) -> int:
    """Return a price as shops write them."""
    whole = max(1, round(cents / 100))
    return whole * 100 - rng.choice((1, 1, 5, 2, 51, 0, 12, 25))
