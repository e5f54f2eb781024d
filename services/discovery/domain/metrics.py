"""What is known of one product by numbers, with what scoring reads from it."""

from dataclasses import dataclass
from datetime import datetime

from services.discovery.domain.product import Kind, ProductFacts
from services.discovery.domain.scoring import history
from services.discovery.domain.scoring.score import Score, score
from services.discovery.domain.scoring.terms import Terms

MEDIAN_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One product in one condition.

    Attributes:
        median_new: Of 90 days, weighted by time, in cents; None without a price in that time.
    """

    facts: ProductFacts
    score: Score
    median_new: int | None
    median_used: int | None


def measure(facts: ProductFacts, terms: Terms, as_of: datetime) -> Metrics:
    """Work out what Keepa does not say itself."""
    return Metrics(
        facts=facts,
        score=score(facts, terms, as_of),
        median_new=_median(facts, Kind.NEW, as_of),
        median_used=_median(facts, Kind.USED, as_of),
    )


def _median(facts: ProductFacts, kind: Kind, as_of: datetime) -> int | None:
    series = facts.series.get(kind)
    if series is None:
        return None
    held = history.hold(series, [history.last_days(as_of, MEDIAN_DAYS)])
    return held.median if held.present else None
