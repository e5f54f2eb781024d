"""How many units are for sale near a price, and when that is not known (D9)."""

from services.discovery.domain.scoring.terms import Condition
from services.discovery.domain.stock import stock_near
from tests.unit.discovery.builders import offer


def test_offers_within_fifteen_percent_count_with_their_shipping() -> None:
    """D9; a copy whose stock is not known is one copy at least."""
    offers = [
        offer(850, stock=3),
        offer(849, stock=9),
        offer(1100, 50, fba=True),
        offer(1151, stock=9),
        offer(1000, condition=4, stock=9),
    ]

    stock = stock_near(offers, Condition.NEW, 1000)

    assert (stock.low_cents, stock.high_cents) == (850, 1150)
    assert (stock.units, stock.count, stock.known, stock.fba) == (4, 2, 1, 1)


def test_offers_that_nobody_could_read_are_not_none() -> None:
    """Nobody sells it: buy. Nobody knows: wait."""
    unread, empty = stock_near(None, Condition.NEW, 1000), stock_near([], Condition.NEW, 1000)

    assert (unread.units, unread.count, unread.known, unread.fba) == (None, None, None, None)
    assert (empty.units, empty.count, empty.known, empty.fba) == (0, 0, 0, 0)
    assert (unread.low_cents, unread.high_cents) == (empty.low_cents, empty.high_cents)
