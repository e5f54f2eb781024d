"""Whether a product is still what it was when somebody decided to buy it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum

from services.discovery.domain.answers import Appraisal
from services.discovery.domain.product import Kind, ProductFacts
from services.discovery.domain.scoring.figures import NEW_GRADE
from services.discovery.domain.scoring.money import dollars
from services.discovery.domain.scoring.selling import sell_price
from services.discovery.domain.scoring.terms import Terms

PRICE_PERCENT, PRICE_FALL_PERCENT = 10, 25
RANK_PERCENT, RANK_FALL_PERCENT = 50, 100
MORE_SELLERS, MANY_MORE_SELLERS = 3, 5


class Verdict(IntEnum):
    """What to do, the worse the higher."""

    OK = 1
    CHANGED = 2
    AVOID = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a decision looks at; None is not known, or not there any more.

    Attributes:
        series: The history the price was taken from, so that like is compared with like.
        counted: The FBA sellers were counted in live offers, not taken from Keepa's history.
        unread: The live offers were asked for and could not be read.
    """

    sell_cents: int | None
    rank: int | None = None
    fba_offers: int | None = None
    amazon: bool | None = None
    observed_at: datetime | None = None
    series: Kind | None = None
    counted: bool = False
    unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not as it was; ``percent`` is of the value before."""

    field: str
    before: str
    after: str
    percent: float | None
    verdict: Verdict
    message: str


def decided_on(decision: Appraisal) -> View:
    """Read from a stored score what was seen then."""
    assert decision.score is not None
    figures = decision.score.inputs.figures
    return View(
        sell_cents=None if figures.sell is None else figures.sell.cents,
        rank=decision.sales_rank,
        fba_offers=figures.standing.fba_offers,
        amazon=figures.standing.amazon_selling,
        observed_at=decision.fetched_at,
        series=None if figures.sell is None else figures.sell.series,
        counted=decision.offers,
    )


def seen_now(facts: ProductFacts, terms: Terms, as_of: datetime, then: View) -> View:
    """Look at a product in the way in which it was looked at then."""
    sell = sell_price(_of_series(facts, then.series), terms, as_of)
    sell = sell or sell_price(facts, terms, as_of)
    current = facts.statistics.current
    return View(
        sell_cents=None if sell is None else sell.cents,
        rank=current.get(Kind.SALES_RANK),
        fba_offers=_fba_offers(facts, counted=then.counted),
        amazon=Kind.AMAZON in current or facts.availability_amazon == 0,
        observed_at=as_of,
        series=None if sell is None else sell.series,
        counted=then.counted,
        unread=facts.offers is None,
    )


def changes(then: View, now: View) -> tuple[Change, ...]:
    """List what changed enough to matter, the worst first."""
    found = [*_price(then, now), *_amazon(then, now), *_rank(then, now), *_sellers(then, now)]
    return tuple(sorted(found, key=lambda change: -change.verdict))


def concluded(
    then: View, now: View, found: tuple[Change, ...], *, blocked: str | None
) -> tuple[Verdict, str]:
    """Say what to do, and by what; what could not be compared is never said to be as it was.

    Args:
        then: What the decision was made on.
        now: What is seen now.
        found: The changes between the two, the worst first.
        blocked: Why it must not be bought, empty without a reason; None when it may be.
    """
    unread = " Keepa could not read the live offers." if now.unread else ""
    if blocked is not None:
        why = f": {blocked}" if blocked else "."
        return Verdict.AVOID, f"It is on your do-not-buy list{why}"
    if found:
        return found[0].verdict, found[0].message + unread
    return Verdict.OK, _unchanged(then, now) + unread


def _unchanged(then: View, now: View) -> str:
    compared = {
        "price": (then.sell_cents, now.sell_cents),
        "rank": (then.rank, now.rank),
        "competition": (then.fba_offers, now.fba_offers),
    }
    unknown = [name for name, both in compared.items() if None in both]
    same = [name for name in compared if name not in unknown]
    told = []
    if same:
        verb = "are as they were" if len(same) > 1 else "is as it was"
        told.append(f"{_listed(same).capitalize()} {verb}.")
    if unknown:
        told.append(f"Not compared, as not known both times: {_listed(unknown)}.")
    return " ".join(told)


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _of_series(facts: ProductFacts, kind: Kind | None) -> ProductFacts:
    """Hide the histories that were not there then: live offers bring better ones with them."""
    if kind is None:
        return facts
    series = {each: one for each, one in facts.series.items() if each == kind}
    return replace(facts, series=series)


def _fba_offers(facts: ProductFacts, *, counted: bool) -> int | None:
    known = facts.statistics.fba_offers
    if counted and known is not None:
        return known
    if counted and facts.offers is None:
        return None
    in_history = facts.statistics.current.get(Kind.COUNT_NEW_FBA)
    if in_history is not None or facts.offers is None:
        return in_history
    return sum(one.fba and one.condition == NEW_GRADE for one in facts.offers)


def _price(then: View, now: View) -> Iterator[Change]:
    before, after = then.sell_cents, now.sell_cents
    if before is None:
        return
    if after is None:
        message = f"No price is to be expected any more; it was {dollars(before)}."
        yield _changed("sell_cents", (before, None), Verdict.AVOID, message)
        return
    moved = 100 * (after - before)
    if abs(moved) < PRICE_PERCENT * before:
        return
    verdict = Verdict.AVOID if moved <= -PRICE_FALL_PERCENT * before else Verdict.CHANGED
    percent, word = moved / before, "fell" if moved < 0 else "rose"
    message = (
        f"The price {word} by {abs(percent):.1f} %, from {dollars(before)} to {dollars(after)}."
    )
    yield _changed("sell_cents", (before, after), verdict, message, percent=percent)


def _amazon(then: View, now: View) -> Iterator[Change]:
    if then.amazon is not False or not now.amazon:
        return
    message = "Amazon began to sell it."
    yield Change(
        field="amazon_present",
        before="false",
        after="true",
        percent=None,
        verdict=Verdict.AVOID,
        message=message,
    )


def _rank(then: View, now: View) -> Iterator[Change]:
    before, after = then.rank, now.rank
    if not before:
        return
    if not after:
        message = f"It has no sales rank any more; it was {before:,}."
        yield _changed("sales_rank", (before, None), Verdict.CHANGED, message)
        return
    moved = 100 * (after - before)
    if abs(moved) < RANK_PERCENT * before:
        return
    verdict = Verdict.AVOID if moved >= RANK_FALL_PERCENT * before else Verdict.CHANGED
    percent, word = moved / before, "worse" if moved > 0 else "better"
    message = f"The sales rank is {word} by {abs(percent):.1f} %: {before:,} then, {after:,} now."
    yield _changed("sales_rank", (before, after), verdict, message, percent=percent)


def _sellers(then: View, now: View) -> Iterator[Change]:
    before, after = then.fba_offers, now.fba_offers
    if before is None or after is None or after - before < MORE_SELLERS:
        return
    verdict = Verdict.AVOID if after - before >= MANY_MORE_SELLERS else Verdict.CHANGED
    message = f"{after - before} more sellers ship through Amazon: {before} then, {after} now."
    yield _changed("fba_offer_count", (before, after), verdict, message)


def _changed(
    field: str,
    values: tuple[int, int | None],
    verdict: Verdict,
    message: str,
    *,
    percent: float | None = None,
) -> Change:
    before, after = values
    return Change(
        field=field,
        before=str(before),
        after="" if after is None else str(after),
        percent=None if percent is None else round(percent, 2),
        verdict=verdict,
        message=message,
    )
