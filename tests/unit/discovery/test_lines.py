"""A score can be redone by hand from its own lines, and two scores compared line by line."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.discovery.domain.product import Kind
from services.discovery.domain.scoring.demand import Signals
from services.discovery.domain.scoring.lines import differences, lines
from services.discovery.domain.scoring.rules import Rules
from services.discovery.domain.scoring.score import Score, evaluate, score
from services.discovery.domain.scoring.terms import STRATEGIES, Channel, Condition
from tests.unit.discovery.builders import (
    AS_OF,
    OFF_SEASON,
    figures,
    offer,
    product,
    statistics,
    terms,
    used,
)
from tests.unit.discovery.ledger import Value, redo
from tests.unit.discovery.test_golden_vectors import GIVENS, scored

PEAK = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
PRODUCTS = {
    "a new book": score(product(), terms(), AS_OF),
    "a used one": score(product(), used(), AS_OF),
    "a textbook out of season": score(
        product(OFF_SEASON), terms("textbooks_patience"), OFF_SEASON
    ),
    "at its peak": score(product(PEAK), terms("smart_velocity"), PEAK),
    "with live offers": score(
        product(offers=(offer(900, 399), offer(4100, fba=True))), terms(), AS_OF
    ),
    "shipped by us, with tax": score(
        product(),
        terms(
            channel=Channel.FBM,
            cost_cents=1100,
            postage_cents=399,
            sales_tax_percent=Decimal("8.875"),
            source_shipping_cents=250,
        ),
        AS_OF,
    ),
    "sold out": score(product(statistics=statistics(drops_90=0), series={}), terms(), AS_OF),
    "too large": score(product(size_mm=(900, 800, 700)), terms(), AS_OF),
    "without a word about it": score(product(series={}, statistics=statistics(
        current={}, avg90={}, drops_30=None, drops_90=None, drops_180=None)), terms(), AS_OF),
    "by a changed configuration": score(
        product(),
        replace(
            terms(cost_cents=1500),
            rules=Rules(
                revision=2,
                returns_percent=Decimal("3.5"),
                surcharge_percent=Decimal(5),
                rois=(Decimal(80), Decimal(60), Decimal(45)),
            ),
        ),
        AS_OF,
    ),
    "whose fee Keepa knows better": score(product(pick_and_pack_cents=990), terms(), AS_OF),
    "that costs nothing": score(product(), terms(cost_cents=0, prep_cents=0), AS_OF),
}  # fmt: skip


def by_hand(one: Score) -> dict[str, Value]:
    return redo([(line.key, line.value, line.formula) for line in lines(one)])


def agree(one: Score) -> None:
    """What comes out by hand is what the score says."""
    found = by_hand(one)
    assert found["recommendation"] == one.recommendation
    assert float(str(found["confidence_score"])) == pytest.approx(one.confidence)
    if one.calculation is not None:
        assert found["net_cents"] == one.calculation.sale.net
        assert found["cash_cost_cents"] == one.calculation.cost.cash
        assert found["profit_cents"] == one.calculation.outcome.profit
        assert found["max_buy_cents"] == one.calculation.max_buy_cents
    if one.demand is not None:
        assert float(str(found["velocity_score"])) == pytest.approx(one.demand.velocity)
    if one.composite is not None:
        assert float(str(found["composite_score"])) == pytest.approx(one.composite)


@pytest.mark.parametrize("name", GIVENS)
def test_a_golden_vector_comes_out_again_from_its_lines(name: str) -> None:
    """Issue point of D5: whoever distrusts a score redoes it with a pencil."""
    agree(scored(GIVENS[name]))


@pytest.mark.parametrize("name", PRODUCTS)
def test_every_kind_of_score_comes_out_again_from_its_lines(name: str) -> None:
    """Also the skipped, the unknown and the reconfigured ones."""
    agree(PRODUCTS[name])


drops = st.one_of(st.none(), st.integers(0, 400))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(300, 20_000),
    st.integers(0, 9_000),
    st.tuples(st.sampled_from(sorted(STRATEGIES)), st.sampled_from(["OFFER", "ASSUMED", "USER"])),
    st.tuples(drops, drops, drops, st.one_of(st.none(), st.integers(1, 3_000_000))),
    st.tuples(st.integers(1, 320), st.integers(0, 40), st.sampled_from(["0", "6.25", "33.3"])),
)
def test_any_score_comes_out_again_from_its_lines(
    sell: int,
    buy: int,
    names: tuple[str, str],
    sales: tuple[int | None, ...],
    rest: tuple[int, int, str],
) -> None:
    """Whatever the numbers: a line that only usually follows is a lie at other times."""
    (strategy, basis), (weight, competitors, tax) = names, rest
    if basis == "ASSUMED":
        buy = int((Decimal(sell) * 40 / 100).to_integral_value("ROUND_HALF_UP"))
    signals = Signals(None, sales[0], sales[1], sales[2], sales[3], 0.25)
    changes: dict[str, Any] = {"ounces": str(weight), "competitors": competitors}
    own = figures(sell, buy, basis, signals=signals, **changes)

    agree(evaluate(own, terms(strategy, sales_tax_percent=Decimal(tax)), AS_OF))


def test_every_input_of_the_money_is_a_line() -> None:
    """A number that appears from nowhere cannot be checked."""
    written = {line.key: line for line in lines(PRODUCTS["with live offers"])}

    assert written["buy_cents"].value == "1299"
    assert written["buy_basis"].value == "OFFER"
    assert written["sell_cents"].formula == "least(usual_cents, current_cents)"
    assert all(line.label for line in written.values())


def test_a_change_is_told_with_its_cause() -> None:
    """Why did this change: the inputs that moved first, and all that follows from them."""
    before = PRODUCTS["a new book"]
    dearer = statistics(current={**statistics().current, Kind.NEW: 3100, Kind.COUNT_NEW_FBA: 7})
    after = score(product(statistics=dearer), terms(), AS_OF)

    found = differences(lines(before), lines(after))

    causes = {one.key: (one.before, one.after) for one in found if one.input}
    assert causes == {
        "current_cents": ("4200", "3100"),
        "low_sell_cents": ("4200", "3100"),
        "competitors": ("4", "7"),
        "caps": ("0", "1"),
    }
    effects = {one.key for one in found if not one.input}
    assert {"sell_cents", "referral_cents", "net_cents", "max_buy_cents", "days_to_sell"} <= effects
    assert [one.key for one in found] == [
        line.key for line in lines(after) if line.key in causes or line.key in effects
    ]


def test_lines_that_only_one_score_has_are_differences() -> None:
    """An input that came or went is the most interesting one."""
    new, nothing = PRODUCTS["a new book"], PRODUCTS["without a word about it"]

    found = {one.key: one for one in differences(lines(new), lines(nothing))}

    assert found["profit_cents"].before
    assert not found["profit_cents"].after
    assert differences(lines(new), lines(new)) == ()


def test_conditions_are_compared_as_well() -> None:
    """A score of another condition is another question."""
    found = differences(lines(PRODUCTS["a new book"]), lines(PRODUCTS["a used one"]))

    assert Condition.USED_GOOD.used
    assert "price_series" in {one.key for one in found}
