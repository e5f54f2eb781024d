"""The figures of one score: everything that is read from a product, and nothing more.

They are small, so they are kept with the score: from figures and terms the whole result can be
worked out again, to the byte, by the machine or by hand.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from math import ceil

from services.discovery.domain.product import Kind, Offer, ProductFacts
from services.discovery.domain.scoring import history
from services.discovery.domain.scoring.buying import BuyPrice, buy_price
from services.discovery.domain.scoring.demand import USED_COMPETITION, Signals
from services.discovery.domain.scoring.parcel import PAPERBACK, Parcel, parcel_of
from services.discovery.domain.scoring.selling import SellPrice, sell_price
from services.discovery.domain.scoring.terms import Terms

WEEKS = 13
NEAR_PERCENT = 10
NEW_GRADE = 1
LIVE_GRADES = frozenset({2, 3, 4, 5})
POINTS_FOR_CERTAINTY = 30


@dataclass(frozen=True, slots=True)
class Standing:
    """What a product is and how it stands with Amazon: read by the gates alone.

    Attributes:
        age_hours: Since Keepa's last update; None when that is not known.
        amazon_absent_90: Per cent of the last 90 days in which Amazon did not sell it.
    """

    product_type: int = 0
    adult: bool = False
    hazardous: bool = False
    redirect: bool = False
    gated: bool = False
    age_hours: float | None = 0.0
    amazon_selling: bool = False
    amazon_absent_90: int = 0
    fba_offers: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """The resolved inputs of one score.

    Attributes:
        referral_percent: Keepa's; None means the card's.
        closing_cents: Keepa's; None means the card's, for media.
        competitors: Other sellers we share the sales with.
        competitors_assumed: They could only be guessed.
        evidence: Confidence before penalties, 0 to 100.
    """

    asin: str
    sell: SellPrice | None
    buy: BuyPrice | None
    parcel: Parcel = PAPERBACK
    media: bool = True
    referral_percent: Decimal | None = None
    closing_cents: int | None = None
    pick_and_pack_cents: int | None = None
    signals: Signals = field(default_factory=Signals)
    competitors: int = 0
    competitors_assumed: bool = False
    standing: Standing = field(default_factory=Standing)
    evidence: float = 0.0


def read(product: ProductFacts, terms: Terms, as_of: datetime) -> Figures:
    """Read from a product what a score needs, measured against one instant."""
    sell = sell_price(product, terms, as_of)
    buy = None if sell is None else buy_price(product, terms, sell, as_of)
    parcel = parcel_of(product, textbook=terms.strategy.textbook)
    competitors, assumed = _competitors(product, terms, sell)
    standing = _standing(product, terms, as_of)
    signals = _signals(product, as_of)
    return Figures(
        asin=product.asin,
        sell=sell,
        buy=buy,
        parcel=parcel,
        media=product.media,
        referral_percent=product.referral_percent,
        closing_cents=product.closing_cents,
        pick_and_pack_cents=product.pick_and_pack_cents,
        signals=signals,
        competitors=competitors or 0,
        competitors_assumed=assumed or competitors is None,
        standing=standing,
        evidence=_evidence(product, sell, standing, parcel, competitors),
    )


def _signals(product: ProductFacts, as_of: datetime) -> Signals:
    statistics = product.statistics
    ranks = product.series.get(Kind.SALES_RANK)
    return Signals(
        monthly_sold=product.monthly_sold,
        drops_30=statistics.drops_30,
        drops_90=statistics.drops_90,
        drops_180=statistics.drops_180,
        rank=statistics.avg90.get(Kind.SALES_RANK),
        consistency=None if ranks is None else history.weeks_with_drops(ranks, as_of, WEEKS),
    )


def _standing(product: ProductFacts, terms: Terms, as_of: datetime) -> Standing:
    statistics = product.statistics
    updated = product.updated_at
    fba = statistics.fba_offers
    return Standing(
        product_type=product.product_type,
        adult=product.adult,
        hazardous=product.hazardous,
        redirect=product.redirect,
        gated=product.asin in terms.gated,
        age_hours=None if updated is None else history.age_hours(updated, as_of),
        amazon_selling=Kind.AMAZON in statistics.current or product.availability_amazon == 0,
        amazon_absent_90=statistics.out_of_stock_90.get(Kind.AMAZON, 0),
        fba_offers=statistics.current.get(Kind.COUNT_NEW_FBA) if fba is None else fba,
    )


def _competitors(
    product: ProductFacts, terms: Terms, sell: SellPrice | None
) -> tuple[int | None, bool]:
    """Count whom we share the sales with, and say whether that had to be guessed."""
    if product.offers is not None and sell is not None:
        near = [offer for offer in product.offers if _near(offer, terms, sell.cents)]
        return len(near), False
    counts = product.statistics.current
    if terms.condition.used:
        used = counts.get(Kind.COUNT_USED)
        return (None if used is None else ceil(USED_COMPETITION * used)), False
    if Kind.COUNT_NEW_FBA in counts:
        return counts[Kind.COUNT_NEW_FBA], False
    return counts.get(Kind.COUNT_NEW), True


def _near(offer: Offer, terms: Terms, sell_cents: int) -> bool:
    """Whether an offer of the same kind asks within a tenth of our price."""
    price = offer.price_cents + (offer.shipping_cents or 0)
    same = offer.condition in LIVE_GRADES if terms.condition.used else offer.condition == NEW_GRADE
    near = abs(price - sell_cents) * 100 <= sell_cents * NEAR_PERCENT
    return same and near and offer.seller_id not in terms.own_sellers


def _evidence(
    product: ProductFacts,
    sell: SellPrice | None,
    standing: Standing,
    parcel: Parcel,
    competitors: int | None,
) -> float:
    """Weigh how fresh, how complete and how dense the data is, 0 to 100."""
    fresh = 0.0
    if standing.age_hours is not None:
        fresh = max(0.0, min(1.0, 1 - (standing.age_hours - 24) / 144))
    complete = (
        sell is not None and sell.points > 0,
        Kind.SALES_RANK in product.series,
        product.statistics.drops_90 is not None,
        competitors is not None,
        not parcel.assumed,
    )
    points = 0 if sell is None else sell.points
    return 30 * fresh + 8 * sum(complete) + 30 * min(1.0, points / POINTS_FOR_CERTAINTY)
