"""What must hold for every product, whatever its numbers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.discovery.domain.scoring.card import card_for
from services.discovery.domain.scoring.demand import Signals, demand
from services.discovery.domain.scoring.profit import Trade, trade
from services.discovery.domain.scoring.rules import DEAREST_CENTS
from services.discovery.domain.scoring.score import Calculation, Inputs, Score, evaluate, replay
from services.discovery.domain.scoring.terms import STRATEGIES, Channel
from tests.unit.discovery.builders import AS_OF, figures, terms

sells = st.integers(500, 20_000)
buys = st.integers(1, 8_000)
ounces = st.integers(1, 300).map(str)
taxes = st.sampled_from(["0", "6.25", "8.875", "10", "33.3"]).map(Decimal)
names = st.sampled_from(sorted(STRATEGIES))
drops = st.one_of(st.none(), st.integers(0, 400))
PRICES = settings(max_examples=60, deadline=None)


def calculated(score: Score) -> Calculation:
    assert score.calculation is not None
    return score.calculation


def deal(weight: str = "16", **changes: Any) -> Trade:
    own, card = figures(ounces=weight), card_for(AS_OF.date())[0]
    shipment = card.classify(own.parcel)
    return trade(own, terms(**changes), card, shipment=shipment, day=AS_OF.date(), months=1)


@PRICES
@given(sells, buys, buys, ounces)
def test_roi_falls_as_the_buying_price_rises(sell: int, one: int, two: int, weight: str) -> None:
    """A dearer copy can never look like the better deal."""
    low, high = sorted((one, two))
    assume(low < high)

    cheap = calculated(evaluate(figures(sell, low, ounces=weight), terms(), AS_OF))
    dear = calculated(evaluate(figures(sell, high, ounces=weight), terms(), AS_OF))

    assume(cheap.sale.net > 0)
    assert cheap.outcome.roi_percent is not None
    assert dear.outcome.roi_percent is not None
    assert cheap.outcome.roi_percent > dear.outcome.roi_percent


@PRICES
@given(sells, ounces, taxes, st.integers(0, 100), st.integers(0, 900))
def test_max_buy_earns_the_target_and_one_cent_more_does_not(
    sell: int, weight: str, tax: Decimal, target: int, shipping: int
) -> None:
    """People buy at exactly this price; a cent of error is a broken promise."""
    own = deal(
        weight,
        sales_tax_percent=tax,
        target_percent=Decimal(target),
        source_shipping_cents=shipping,
    )
    net = own.sale(sell).net
    price = own.max_buy(net)
    assume(price > 0)

    def reached(buy: int) -> bool:
        cash = own.cost(buy).cash
        return (net - cash) * 100 >= target * cash

    assert reached(price)
    assert not reached(price + 1)


@PRICES
@given(sells, st.integers(1, 300), st.integers(1, 300))
def test_fees_never_fall_with_weight(sell: int, one: int, two: int) -> None:
    """A heavier book cannot be cheaper to send."""
    light, heavy = sorted((one, two))

    assert deal(str(light)).sale(sell).fulfilment <= deal(str(heavy)).sale(sell).fulfilment


@PRICES
@given(st.integers(0, 400), st.integers(0, 400), drops, drops, st.integers(0, 30))
def test_velocity_never_falls_when_recent_drops_rise_alone(
    one: int, two: int, quarter: int | None, half: int | None, competitors: int
) -> None:
    """More sales last month are never bad news."""
    few, many = sorted((one, two))

    def velocity(drops_30: int) -> float:
        signals = Signals(drops_30=drops_30, drops_90=quarter, drops_180=half, rank=120_000)
        found = demand(signals, competitors)
        assert found is not None
        return found.velocity

    assert velocity(few) <= velocity(many) + 1e-9


@PRICES
@given(st.integers(1, 30_000), ounces)
def test_break_even_is_the_first_price_that_pays(cash: int, weight: str) -> None:
    """Profit falls at $10 and $50, so the first price that pays may lie below one that does not."""
    own = deal(weight)
    price = own.break_even(cash)

    first = next((p for p in range(1, DEAREST_CENTS + 1) if own.sale(p).net >= cash), None)

    assert price == first


@settings(max_examples=40, deadline=None)
@given(sells, buys, names, st.sampled_from(sorted(Channel)), st.tuples(taxes, drops, drops))
def test_a_replay_of_the_stored_inputs_is_equal_to_the_byte(
    sell: int,
    buy: int,
    strategy: str,
    channel: Channel,
    rest: tuple[Decimal, int | None, int | None],
) -> None:
    """A score of last year can be defended only if it can be worked out again."""
    tax, month, quarter = rest
    signals = Signals(drops_30=month, drops_90=quarter, rank=70_000, consistency=0.25)
    own = terms(strategy, channel=channel, sales_tax_percent=tax, own_sellers=frozenset("BA"))
    score = evaluate(figures(sell, buy, signals=signals), own, datetime(2026, 11, 2, tzinfo=UTC))

    again = replay(Inputs.decode(score.inputs.encode()))

    assert again == score
    assert again.inputs.encode() == score.inputs.encode()


def test_profit_really_falls_at_the_edges_of_the_price_bands() -> None:
    """Otherwise the search of the break-even per band would prove nothing."""
    own = deal()

    assert own.sale(1000).net < own.sale(999).net
    assert own.sale(5001).net < own.sale(5000).net
