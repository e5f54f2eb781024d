"""What is asked of the gateway, and its products as facts: absences and mappings that a wrong line would hide."""

import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.discovery.clients.facts import KINDS, facts
from services.discovery.clients.keepa_gateway import selection
from services.discovery.domain.criteria import Availability, Filter
from services.discovery.domain.product import Kind as Series
from services.discovery.domain.scoring.terms import Condition


def test_a_filter_becomes_the_finder_s_own_fields() -> None:
    """What is not pushed to Keepa is paid for and thrown away."""
    wanted = Filter(
        category_ids=(3, 4),
        rank_least=1000,
        rank_most=90_000,
        price_least=1500,
        price_most=6000,
        availability=Availability.AMAZON_ABSENT,
        title="python",
    )

    built = selection(wanted)

    assert {one.field: (one.minimum, one.maximum) for one in built.ranges} == {
        "current_SALES": (1000, 90_000),
        "current_NEW": (1500, 6000),
    }
    assert list(built.category_ids) == [3, 4]
    assert built.root_category_id == 0
    assert list(built.types) == [keepa.PRODUCT_TYPE_STANDARD]
    assert keepa.AMAZON_AVAILABILITY_NOW not in built.amazon_availabilities
    assert [(sort.field, sort.descending) for sort in built.sorts] == [("current_SALES", False)]


def test_used_copies_are_searched_by_their_own_price_and_roots_as_roots() -> None:
    """The price of a new copy says nothing about a used one."""
    built = selection(Filter(category_ids=(3, 283155), condition=Condition.USED_GOOD, price_most=9))

    assert [one.field for one in built.ranges] == ["current_SALES", "current_USED"]
    assert (built.root_category_id, list(built.category_ids)) == (283155, [])


@pytest.mark.parametrize(
    ("results", "page", "tokens"),
    [(1, 50, 11), (50, 50, 11), (101, 101, 12), (10_000, 10_000, 110)],
)
def test_a_search_asks_for_what_it_needs_and_knows_its_price(
    results: int, page: int, tokens: int
) -> None:
    """10 tokens, and 1 for each started 100 ASINs of a page of at least 50."""
    wanted = Filter(max_results=results)

    assert (wanted.per_page, wanted.most_tokens) == (page, tokens)


def test_absent_values_of_a_product_stay_absent() -> None:
    """An absent price read as 0 is a free book."""
    read_back = facts(keepa.Product(asin="0306406152", type=keepa.PRODUCT_TYPE_STANDARD))

    assert read_back.product_type == 0
    assert read_back.weight_grams is None
    assert read_back.size_mm is None
    assert read_back.monthly_sold is None
    assert read_back.referral_percent is None
    assert read_back.closing_cents is None
    assert read_back.updated_at is None
    assert read_back.offers is None
    assert read_back.statistics.current == {}


def test_no_offers_of_a_kind_are_zero_and_not_unknown() -> None:
    """A count of 0 is knowledge: nobody competes. A price of 0 is none."""
    product = keepa.Product(asin="0306406152")
    product.statistics.series.add(name="COUNT_NEW_FBA", current=0)
    product.statistics.series.add(name="NEW", current=0)

    assert facts(product).statistics.current == {Series.COUNT_NEW_FBA: 0}


def test_a_history_with_shipping_is_read_as_what_the_buyer_pays() -> None:
    """Price and shipping are one amount to whoever buys; unknown shipping adds nothing."""
    product = keepa.Product(asin="0306406152")
    product.series.add(
        name="BUY_BOX_SHIPPING",
        times=[60, 120, 180],
        values=[1000, -1, 900],
        shipping=[399, -1, -1],
    )

    assert list(facts(product).series[Series.BUY_BOX_NEW].values) == [1399, -1, 900]


def test_only_live_offers_are_read_and_unknown_shipping_stays_unknown() -> None:
    """The list of offers is a history of a thousand dead ones."""
    product = keepa.Product(asin="0306406152", offers_fetched=True)
    product.offers.add(seller_id="A", price_cents=500, live=True, condition=1)
    product.offers.add(seller_id="B", price_cents=100, shipping_cents=0, live=False)
    product.offers.add(seller_id="C", live=True)

    offers = facts(product).offers

    assert offers is not None
    assert [(offer.seller_id, offer.shipping_cents) for offer in offers] == [("A", None)]


def test_every_history_that_scoring_reads_has_a_name_on_the_wire() -> None:
    """One that is missing here is a price nobody ever sees."""
    assert set(KINDS.values()) == set(Series)
