"""Which scored products become picks, how good each is, and in what order they are listed."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID, uuid5

from services.autosourcing.domain.spec import Thresholds


class Recommendation(StrEnum):
    """What scoring says about a product, from best to worst."""

    STRONG_BUY = "STRONG_BUY"
    BUY = "BUY"
    CONSIDER = "CONSIDER"
    SKIP = "SKIP"


class Kind(StrEnum):
    """Whether the price that the reseller would pay is known."""

    PRICED = "PRICED"
    TARGET = "TARGET"


class Tier(StrEnum):
    """How good a pick is, by its weakest number."""

    HOT = "HOT"
    TOP = "TOP"
    WATCH = "WATCH"
    OTHER = "OTHER"


class Rating(StrEnum):
    """How a pick is rated, by its weakest number; a target pick is not rated."""

    EXCELLENT = "EXCELLENT"
    GOOD = "GOOD"
    FAIR = "FAIR"
    PASS = "PASS"  # noqa: S105 - a verdict, not a secret
    UNRATED = "UNRATED"


class Action(StrEnum):
    """What the reseller has decided about a pick."""

    PENDING = "PENDING"
    TO_BUY = "TO_BUY"
    FAVORITE = "FAVORITE"
    IGNORED = "IGNORED"
    ANALYZING = "ANALYZING"


@dataclass(frozen=True)
class Finding:
    """One product as scoring answered it.

    Money is in whole cents of ``currency_code``; ratios and scores are percentages.

    Attributes:
        buy_price_known: Whether the buying price was entered or seen, not assumed.
        max_buy_cents: The most that may be paid for it, at the strategy's target ROI.
        sales_rank: The current one; 0 when unknown.
        document: The whole score as discovery sent it, kept unread with the pick.
    """

    asin: str
    title: str
    recommendation: Recommendation
    buy_price_known: bool
    currency_code: str
    sell_price_cents: int
    buy_price_cents: int
    profit_cents: int
    max_buy_cents: int
    roi_percent: Decimal
    velocity: Decimal
    stability: Decimal
    confidence: Decimal
    sales_rank: int
    buy_basis: str
    flags: tuple[str, ...] = ()
    summary: str = ""
    document: bytes = b""


class Outcome(StrEnum):
    """What became of one product of a job."""

    PICKED = "PICKED"
    PASSED_OVER = "PASSED_OVER"
    NOT_FOUND = "NOT_FOUND"
    UNKNOWN = "UNKNOWN"
    UNANSWERED = "UNANSWERED"


@dataclass(frozen=True)
class Analysis:
    """One product of a job and what became of it; ``reason`` is for people."""

    asin: str
    outcome: Outcome
    reason: str
    title: str = ""
    recommendation: Recommendation | None = None


@dataclass(frozen=True)
class Pick:
    """A product worth the reseller's look, found by one job.

    Attributes:
        sort_score: Orders picks of one kind, best first.
        reason: One sentence for people: why it was picked.
    """

    id: UUID
    job_id: UUID
    finding: Finding
    kind: Kind
    tier: Tier
    rating: Rating
    sort_score: Decimal
    reason: str


# ROI %, profit in cents, velocity, confidence. Source: requirements.md section 7.
_TIERS = (
    (Tier.HOT, 50, 1500, 80, 85),
    (Tier.TOP, 35, 1000, 70, 75),
    (Tier.WATCH, 25, 500, 60, 65),
)
# ROI %, velocity, stability, confidence. Source: requirements.md section 7.
_RATINGS = (
    (Rating.EXCELLENT, 35, 70, 70, 80),
    (Rating.GOOD, 25, 50, 50, 60),
    (Rating.FAIR, 15, 30, 30, 40),
)


def judge(job_id: UUID, finding: Finding, thresholds: Thresholds) -> Pick | str:
    """The pick that a product makes, or the sentence why it makes none.

    A product whose buying price is known must also reach the thresholds. With an assumed
    one the ROI is hypothetical and decides nothing: what counts is the price not to exceed.
    """
    if finding.recommendation is Recommendation.SKIP:
        return finding.summary or "Not recommended"
    if not finding.buy_price_known:
        if finding.max_buy_cents <= 0:
            return "No price would leave a profit"
        return _target(job_id, finding)
    if shortfall := _shortfall(finding, thresholds):
        return shortfall
    return Pick(
        id=pick_id(job_id, finding.asin),
        job_id=job_id,
        finding=finding,
        kind=Kind.PRICED,
        tier=tier(finding),
        rating=rating(finding),
        sort_score=composite(finding),
        reason=_priced_reason(finding),
    )


def pick_id(job_id: UUID, asin: str) -> UUID:
    """The id of a job's pick of a product: the same however often it is found."""
    return uuid5(job_id, f"picks/{asin}")


def tier(finding: Finding) -> Tier:
    """The first tier whose four minimums are all reached."""
    for name, roi, profit_cents, velocity, confidence in _TIERS:
        if (
            finding.roi_percent >= roi
            and finding.profit_cents >= profit_cents
            and finding.velocity >= velocity
            and finding.confidence >= confidence
        ):
            return name
    return Tier.OTHER


def rating(finding: Finding) -> Rating:
    """The first rating whose four minimums are all reached."""
    for name, roi, velocity, stability, confidence in _RATINGS:
        if (
            finding.roi_percent >= roi
            and finding.velocity >= velocity
            and finding.stability >= stability
            and finding.confidence >= confidence
        ):
            return name
    return Rating.PASS


def composite(finding: Finding) -> Decimal:
    """The sort key of a priced product, 0 to 100.

    Source:
        scoring.md c9: 0.6 x ROI, kept within 0 and 100, and 0.4 x velocity.
    """
    roi = min(max(finding.roi_percent, Decimal(0)), Decimal(100))
    return Decimal("0.6") * roi + Decimal("0.4") * finding.velocity


def listing_order(pick: Pick) -> tuple[int, Decimal, int, str]:
    """Sorts picks as they are listed: priced before targets, best first, then by ASIN."""
    return (
        0 if pick.kind is Kind.PRICED else 1,
        -pick.sort_score,
        -pick.finding.profit_cents,
        pick.finding.asin,
    )


def _shortfall(finding: Finding, thresholds: Thresholds) -> str:
    """The first number that is below its threshold, as a sentence; empty when none is."""
    pairs = (
        ("ROI", finding.roi_percent, thresholds.roi_percent),
        ("Velocity", finding.velocity, thresholds.velocity),
        ("Stability", finding.stability, thresholds.stability),
        ("Confidence", finding.confidence, thresholds.confidence),
    )
    for name, actual, least in pairs:
        if actual < least:
            return f"{name} {actual:.2f} is below the {least:.2f} asked for"
    return ""


def _target(job_id: UUID, finding: Finding) -> Pick:
    return Pick(
        id=pick_id(job_id, finding.asin),
        job_id=job_id,
        finding=finding,
        kind=Kind.TARGET,
        tier=Tier.OTHER,
        rating=Rating.UNRATED,
        sort_score=finding.velocity * finding.max_buy_cents / 100,
        reason=(
            f"Buy at or below {_money(finding.max_buy_cents, finding.currency_code)}; "
            f"sells for about {_money(finding.sell_price_cents, finding.currency_code)}, "
            f"velocity {finding.velocity:.0f}."
        ),
    )


def _priced_reason(finding: Finding) -> str:
    return (
        f"{finding.recommendation.replace('_', ' ').capitalize()}: "
        f"ROI {finding.roi_percent:.1f} %, "
        f"profit {_money(finding.profit_cents, finding.currency_code)}, "
        f"velocity {finding.velocity:.0f}, confidence {finding.confidence:.0f}."
    )


def _money(cents: int, currency_code: str) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d} {currency_code}"
