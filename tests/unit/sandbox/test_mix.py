"""A search over the invented books is worth running: some are bargains, most honestly are not."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from deploy.sandbox.catalogue.book import Quirk
from deploy.sandbox.catalogue.generated import GeneratedCatalogue
from deploy.sandbox.catalogue.recorded import unpack
from deploy.sandbox.catalogue.view import View
from deploy.sandbox.keepa_time import minute_of, unix_ms_of
from services.discovery.domain.product import Offer, ProductFacts, Series, Statistics
from services.discovery.domain.scoring.score import Score, score
from services.discovery.domain.scoring.terms import STRATEGIES, Condition, Terms
from services.discovery.domain.scoring.verdict import Recommendation

WORTH_BUYING = {Recommendation.BUY, Recommendation.STRONG_BUY}
AUTUMN = datetime(2026, 11, 21, tzinfo=UTC)
SPRING = datetime(2027, 4, 15, tzinfo=UTC)


def instant(minute: int) -> datetime:
    return datetime.fromtimestamp(unix_ms_of(minute) / 1_000, UTC)


def series(index: int, flat: list[int]) -> Series:
    points = unpack(index, flat)
    return Series([unix_ms_of(t) // 1_000 for t, _ in points], [value for _, value in points])


def present(stats: dict[str, Any], name: str) -> dict[int, int]:
    return {index: value for index, value in enumerate(stats[name]) if value >= 0}


def statistics(stats: dict[str, Any]) -> Statistics:
    averages = {name: present(stats, name) for name in ("avg30", "avg90", "avg180", "avg365")}
    return Statistics(
        current=present(stats, "current"),
        **averages,
        out_of_stock_90=present(stats, "outOfStockPercentage90"),
        drops_30=stats["salesRankDrops30"],
        drops_90=stats["salesRankDrops90"],
        drops_180=stats["salesRankDrops180"],
    )


def live(product: dict[str, Any]) -> tuple[Offer, ...] | None:
    """Read the live offers, or None when none were asked for."""
    if product["liveOffersOrder"] is None:
        return None
    offers = [product["offers"][place] for place in product["liveOffersOrder"]]
    return tuple(
        Offer(o["sellerId"], o["condition"], *o["offerCSV"][-2:], instant(o["lastSeen"]))
        for o in offers
    )


def facts(product: dict[str, Any]) -> ProductFacts:
    """Read a product as a gateway would."""
    sizes = (product["packageLength"], product["packageWidth"], product["packageHeight"])
    ebay = product["lastEbayUpdate"]
    return ProductFacts(
        asin=product["asin"],
        adult=product["isAdultProduct"],
        redirect=product["isRedirectASIN"],
        hardcover=product["binding"] == "Hardcover",
        weight_grams=product["packageWeight"],
        size_mm=sizes,
        availability_amazon=product["availabilityAmazon"],
        referral_percent=Decimal(str(product["referralFeePercentage"])),
        closing_cents=product["variableClosingFee"],
        pick_and_pack_cents=product["fbaFees"]["pickAndPackFee"],
        monthly_sold=product.get("monthlySold"),
        updated_at=instant(product["lastUpdate"]),
        ebay_updated_at=instant(ebay) if ebay > 0 else None,
        statistics=statistics(product["stats"]),
        series={i: series(i, flat) for i, flat in enumerate(product["csv"]) if flat},
        offers=live(product),
    )


def in_range(minute: int, *, seed: int, most: int) -> list[Any]:
    """Return books such as a search for BSR 10k to 80k and $15 to $60 finds."""
    grown = GeneratedCatalogue(seed=seed, size=1_200, minute=minute)
    found = [item for asin in grown.asins() if (item := grown.find(asin))]
    return [
        item
        for item in found
        if item.book.quirk is not Quirk.EBOOK
        and 10_000 <= item.book.rank <= 80_000
        and 1_500 <= item.book.new <= 6_000
    ][:most]


def scored(now: datetime, terms: Terms, *, seed: int, offers: int = 0) -> list[Score]:
    minute = minute_of(int(now.timestamp() * 1_000))
    view = View(minute=minute, stats=365, days=365, offers=offers)
    books = in_range(minute, seed=seed, most=160)
    assert len(books) == 160
    return [score(facts(item.render(view)), terms, now + timedelta(minutes=1)) for item in books]


@pytest.mark.parametrize(("now", "seed"), [(AUTUMN, 1), (SPRING, 2)])
def test_about_one_in_five_new_books_is_a_bargain(now: datetime, seed: int) -> None:
    """A demo that finds nothing shows nothing; one that finds only gold teaches nothing."""
    terms = Terms(strategy=STRATEGIES["smart_velocity"], condition=Condition.NEW)

    scores = scored(now, terms, seed=seed)

    verdicts = Counter(s.recommendation for s in scores)
    bought = sum(verdicts[verdict] for verdict in WORTH_BUYING)
    assert 0.12 < bought / len(scores) < 0.32
    assert verdicts[Recommendation.STRONG_BUY] > 1
    assert verdicts[Recommendation.CONSIDER] > 0.2 * len(scores)
    assert verdicts[Recommendation.SKIP] > 0.2 * len(scores)


def test_books_are_passed_over_for_many_reasons() -> None:
    """Amazon on the listing, thin margins, no price, jumping prices, too many sellers."""
    terms = Terms(strategy=STRATEGIES["smart_velocity"], condition=Condition.NEW)

    scores = scored(AUTUMN, terms, seed=1)

    passed = [s for s in scores if s.recommendation not in WORTH_BUYING]
    reasons = {reason.code for s in passed for reason in s.reasons}
    flags = {flag for s in passed for flag in s.flags}
    assert len(reasons) >= 5
    assert len(flags) >= 4
    assert any(s.assumed for s in passed)


@pytest.mark.parametrize(
    ("condition", "offers"),
    [(Condition.USED_GOOD, 0), (Condition.NEW, 20), (Condition.USED_VERY_GOOD, 20)],
)
def test_used_copies_and_fetched_offers_find_bargains_too(
    condition: Condition, offers: int
) -> None:
    """The second pass buys from live offers: a merchant far below the buy box is worth it."""
    terms = Terms(strategy=STRATEGIES["balanced"], condition=condition)

    scores = scored(AUTUMN, terms, seed=1, offers=offers)

    bought = [s for s in scores if s.recommendation in WORTH_BUYING]
    assert 0.02 < len(bought) / len(scores) < 0.3
