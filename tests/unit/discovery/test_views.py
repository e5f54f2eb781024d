"""Target prices return what they promise, to the cent, and no view counts an invented return."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.discovery.domain.answers import Appraisal, Status
from services.discovery.domain.scoring.config import VIEW_ROI_PERCENT
from services.discovery.domain.scoring.rules import Rules
from services.discovery.domain.scoring.score import Score, evaluate
from services.discovery.domain.scoring.targets import target_buy, target_sell
from services.discovery.domain.views import WEIGHTS, parts, seen
from tests.unit.discovery.builders import AS_OF, figures, terms


def scored(sell: int = 4200, buy: int = 1200, basis: str = "OFFER", **changes: Any) -> Score:
    return evaluate(figures(sell, buy, basis, **changes), terms(), AS_OF)


def appraised(score: Score, asin: str = "0306406152") -> Appraisal:
    return Appraisal(asin=asin, status=Status.CACHED, score=score)


def test_every_view_weighs_known_parts_to_one() -> None:
    """A view's score is from 0 to 100 only when its weights are a whole."""
    assert set(WEIGHTS) == set(VIEW_ROI_PERCENT)
    for weights in WEIGHTS.values():
        assert sum(weights.values()) == pytest.approx(1)
        assert set(weights) <= set(parts(scored()))


@given(
    sell=st.integers(1500, 20_000),
    roi=st.integers(0, 120),
    surcharge=st.sampled_from([None, Decimal(0), Decimal(9)]),
)
def test_a_target_buy_reaches_the_roi_and_a_cent_more_does_not(
    sell: int, roi: int, surcharge: Decimal | None
) -> None:
    """D8: ROI on cost, by the same rounded lines as the score itself."""
    own = replace(terms(), rules=Rules(surcharge_percent=surcharge))
    most = target_buy(evaluate(figures(sell), own, AS_OF), Decimal(roi))
    assert most is not None
    if most < 1:
        return

    def roi_at(buy: int) -> Decimal:
        sums = evaluate(figures(sell, buy), own, AS_OF).calculation
        assert sums is not None
        assert sums.outcome.roi_percent is not None
        return sums.outcome.roi_percent

    assert roi_at(most) >= roi > roi_at(most + 1)


@given(buy=st.integers(100, 9_000), roi=st.integers(0, 120))
def test_a_target_sell_is_the_least_price_that_returns_the_roi(buy: int, roi: int) -> None:
    """D8: what one must get for a copy that is paid for already."""
    score = scored(buy=buy)
    least = target_sell(score, Decimal(roi))
    assert least is not None

    def reached(sell: int) -> bool:
        sums = scored(sell, buy).calculation
        assert sums is not None
        assert sums.outcome.roi_percent is not None
        return sums.outcome.roi_percent >= roi

    assert reached(least)
    if least > 1:
        assert not reached(least - 1)


def test_a_wished_profit_lowers_what_may_be_paid() -> None:
    """Section 7 asks niches for ROI and profit: both must be reached."""
    score = scored()
    sums = score.calculation
    assert sums is not None
    most = target_buy(score, Decimal(30), profit_cents=1500)
    assert most is not None

    poorer = scored(buy=most).calculation
    dearer = scored(buy=most + 1).calculation

    assert poorer is not None
    assert dearer is not None
    assert poorer.outcome.profit >= 1500 > dearer.outcome.profit


def test_what_is_hypothetical_counts_nothing() -> None:
    """scoring.md c4: an assumed price decides nothing, in no view."""
    assumed = parts(scored(basis="ASSUMED"))

    assert (assumed["roi"], assumed["profit"]) == (0, 0)
    assert assumed["velocity"] == parts(scored())["velocity"] > 0


def test_a_view_puts_the_ruled_out_after_all_and_the_unknown_last() -> None:
    """A list of what to buy never begins with what must not be bought."""
    good, poor = scored(), scored(buy=2200)
    blocked = evaluate(figures(buy=100), terms(blocked="fake"), AS_OF)
    missing = Appraisal(asin="B000000009", status=Status.NOT_FOUND)
    given = [
        missing,
        appraised(blocked, "B000000003"),
        appraised(poor, "B000000002"),
        appraised(good, "B000000001"),
    ]

    for view, roi in VIEW_ROI_PERCENT.items():
        rows = seen(view, roi, given)

        assert [row.appraisal.asin[-1] for row in rows] == ["1", "2", "3", "9"]
        assert all(row.reason.endswith(".") or "fake" in row.reason for row in rows)
        assert rows[-1].view_score is None
        assert rows[-1].target_buy is None


def test_a_product_that_costs_more_in_fees_than_it_fetches_has_no_target() -> None:
    """0 says: at no price; nobody must read it as a price to offer."""
    (row,) = seen("velocity", Decimal(25), [appraised(scored(sell=700, buy=100))])

    assert row.target_buy == 0
    assert row.reason == "No buying price leaves a 25 % ROI."
