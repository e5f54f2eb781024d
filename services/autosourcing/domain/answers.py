"""Reads one scoring answer: what became of each product that was asked for, and the picks."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.autosourcing.domain.job import Job, Scored
from services.autosourcing.domain.picks import Analysis, Outcome, Pick, judge, listing_order

_ANALYZED = (Outcome.PICKED, Outcome.PASSED_OVER, Outcome.NOT_FOUND)


@dataclass(frozen=True)
class Reading:
    """What an answer says about the products of its step.

    Attributes:
        picks: Best first, as many as the job may still save.
        products: Every product asked for, each once.
    """

    picks: tuple[Pick, ...]
    products: tuple[Analysis, ...]

    @property
    def analyzed(self) -> int:
        """How many products were looked at."""
        return sum(product.outcome in _ANALYZED for product in self.products)

    @property
    def unknown(self) -> int:
        """How many products' paid answers were lost."""
        return sum(product.outcome is Outcome.UNKNOWN for product in self.products)


def read(job: Job, answer: Scored) -> Reading:
    """Judge every product of the open step; what it did not ask for is not looked at."""
    assert job.open_step is not None
    asked = dict.fromkeys(job.open_step.asins)
    findings = {each.asin: each for each in answer.findings if each.asin in asked}
    least = job.plan.spec.thresholds
    verdicts = {asin: judge(job.id, each, least) for asin, each in findings.items()}
    judged = [verdict for verdict in verdicts.values() if isinstance(verdict, Pick)]
    picks = tuple(sorted(judged, key=listing_order)[: _room(job)])
    saved = {pick.finding.asin for pick in picks}

    def products() -> Iterator[Analysis]:
        for asin, finding in findings.items():
            verdict = verdicts[asin]
            reason = verdict.reason if isinstance(verdict, Pick) else verdict
            if isinstance(verdict, Pick) and asin not in saved:
                reason = "The job has as many picks as it may save"
            outcome = Outcome.PICKED if asin in saved else Outcome.PASSED_OVER
            yield Analysis(asin, outcome, reason, finding.title, finding.recommendation)
        yield from _unscored(tuple(asin for asin in asked if asin not in findings), answer)

    return Reading(picks, tuple(products()))


def _unscored(asins: tuple[str, ...], answer: Scored) -> Iterator[Analysis]:
    absent, unknown = set(answer.absent), set(answer.unknown)
    for asin in asins:
        if asin in absent:
            yield Analysis(asin, Outcome.NOT_FOUND, "Keepa does not know this product")
        elif asin in unknown:
            yield Analysis(asin, Outcome.UNKNOWN, "Asked for, but the answer was lost")
        else:
            yield Analysis(asin, Outcome.UNANSWERED, "It was not looked at")


def _room(job: Job) -> int | None:
    most = job.plan.spec.max_picks
    return max(0, most - job.counts.picks) if most else None
