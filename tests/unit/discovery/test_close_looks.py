"""Which products deserve a second look, and what is for sale near a price."""

from dataclasses import replace

from services.discovery.domain.answers import Appraisal, Fetched, Status, appraisal
from services.discovery.domain.looking import candidates, improved
from services.discovery.domain.product import Kind
from services.discovery.domain.scoring.score import score
from services.discovery.domain.scoring.terms import Condition
from services.discovery.domain.stock import stock_near
from tests.unit.discovery.builders import AS_OF, offer, product, statistics, steady, terms


def first(asin: str, price: int = 4200, **changes: object) -> Appraisal:
    """A product after its first pass."""
    facts = product(
        asin=asin,
        series={**product().series, Kind.NEW: steady(price)},
        statistics=statistics(current={Kind.NEW: price, Kind.COUNT_NEW_FBA: 4}),
    )
    facts = replace(facts, **changes)  # type: ignore[arg-type]
    found = score(facts, terms(), AS_OF)
    return appraisal(Fetched(asin=asin, status=Status.FOUND, facts=facts), found)


def test_candidates_come_by_velocity_times_the_most_to_pay() -> None:
    """Never by an assumed ROI, which is the same for every price."""
    found = [first("B000000001", 2500), first("B000000002", 6000), first("B000000003", 3900)]

    assert candidates(found) == ["B000000002", "B000000003", "B000000001"]


def test_what_fails_a_gate_sells_slowly_or_leaves_nothing_is_no_candidate() -> None:
    """A token spent on it is lost: its offers could change nothing."""
    adult = first("B000000001", adult=True)
    slow = first("B000000002", statistics=statistics(drops_30=0, drops_90=1, drops_180=1))
    worthless = first("B000000003", 700)

    assert candidates([adult, slow, worthless]) == []


def test_a_product_is_looked_at_closely_once() -> None:
    """Also not when its answer is an old one, or there is none."""
    seen = first("B000000001", offers=())
    stale = replace(first("B000000002"), status=Status.STALE)
    lost = Appraisal(asin="B000000003", status=Status.UNKNOWN)

    assert seen.offers
    assert candidates([seen, stale, lost]) == []


def test_a_lost_or_refused_second_look_leaves_the_first() -> None:
    """What was paid for is not thrown away for nothing."""
    lost = Appraisal(asin="B000000001", status=Status.UNKNOWN)
    refused = Appraisal(asin="B000000002", status=Status.REFUSED)
    better = first("B000000003")

    assert improved([lost, refused, better]) == (better,)


def test_stock_counts_offers_within_fifteen_percent_of_the_target() -> None:
    """D9, at both edges, by what a buyer pays in all."""
    offers = [
        offer(849), offer(850), offer(1150), offer(1151), offer(900, 240), offer(900, 251),
        offer(1000, None),
    ]  # fmt: skip

    stock = stock_near(offers, Condition.NEW, 1000)

    assert (stock.low_cents, stock.high_cents) == (850, 1150)
    assert [one.price_cents for one in stock.offers] == [850, 1000, 900, 1150]


def test_stock_adds_known_units_and_one_for_each_unknown_offer() -> None:
    """Nobody knows what a seller does not tell; an offer is at least one copy."""
    offers = [offer(1000, stock=7, fba=True), offer(1000), offer(1000, condition=3, stock=90)]

    stock = stock_near(offers, Condition.NEW, 1000)

    assert (stock.units, stock.known, stock.fba, len(stock.offers)) == (8, 1, 1, 2)


def test_stock_of_a_used_copy_counts_the_same_grade_and_better() -> None:
    """A worse copy does not compete at this price."""
    offers = [offer(1000, condition=grade) for grade in (1, 2, 3, 4, 5)]

    stock = stock_near(offers, Condition.USED_VERY_GOOD, 1000)

    assert sorted(one.condition for one in stock.offers) == [2, 3]
