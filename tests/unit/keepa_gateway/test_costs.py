"""Claims about what Keepa calls cost, line by line of its price list (T3)."""

import pytest

from services.chassis.errors import Refusal
from services.keepa_gateway.domain import costs
from services.keepa_gateway.domain.batches import limit, size
from services.keepa_gateway.domain.costs import Cost
from services.keepa_gateway.domain.list_requests import BestSellersRequest, FinderRequest
from services.keepa_gateway.domain.products_request import ProductOptions, ProductsRequest


def asins(count: int) -> tuple[str, ...]:
    return tuple(f"B{number:09d}" for number in range(count))


def products(count: int, **options: object) -> ProductsRequest:
    return ProductsRequest(domain=1, asins=asins(count), options=ProductOptions(**options))


@pytest.mark.parametrize(
    ("options", "cost"),
    [
        ({}, Cost(1, 1, 1)),
        ({"stats_days": 365, "history": True}, Cost(1, 1, 1)),
        ({"buybox": True}, Cost(1, 3, 3)),
        ({"buybox": True, "rating": True}, Cost(1, 4, 4)),
        ({"rating": True}, Cost(1, 2, 2)),
        ({"update_hours": 0}, Cost(1, 1, 2)),
        ({"update_hours": -1}, Cost(0, 1, 1)),
        ({"update_hours": 24}, Cost(1, 1, 1)),
        ({"historical_variations": True}, Cost(1, 1, 2)),
        ({"offers": 20}, Cost(1, 7, 16)),
        ({"offers": 100}, Cost(1, 7, 64)),
        ({"offers": 20, "stock": True, "rating": True}, Cost(1, 7, 16)),
    ],
)
def test_one_product_costs_what_the_price_list_says(options: dict[str, object], cost: Cost) -> None:
    assert products(1, **options).cost() == cost


def test_a_hundred_products_with_offers_are_never_mistaken_for_a_hundred_tokens() -> None:
    """INC-5: such a batch was estimated at about 100 and really cost 386 to 400."""
    cost = products(100, offers=20).cost()

    assert cost.expected == 626
    assert cost.most == 1600


def test_no_measured_offers_call_exceeds_the_bound() -> None:
    """303 real calls cost 2 to 13 tokens; the bound must hold for all of them."""
    assert max([6, 8, 2, 12, 4, 7, 3, 13]) <= products(1, offers=20).cost().most


def test_a_code_is_bounded_by_its_limit() -> None:
    """INC-6: one code cost 1,500 tokens because no limit was sent."""
    request = ProductsRequest(domain=1, codes=("9780593655030",), code_limit=5)

    assert request.cost() == Cost(0, 1, 5)
    assert ("code-limit", "5") in request.call().parameters


@pytest.mark.parametrize(("per_page", "most"), [(50, 11), (100, 11), (101, 12), (10_000, 110)])
def test_a_finder_page_costs_by_started_hundreds(per_page: int, most: int) -> None:
    call = FinderRequest(domain=1, selection={"rootCategory": 1}, per_page=per_page).call()

    assert call.cost == Cost(10, most, most)


def test_best_sellers_hold_fifty() -> None:
    """INC-2: they were once booked as one token."""
    assert BestSellersRequest(domain=1, category=283155).call().cost == Cost(0, 50, 50)


@pytest.mark.parametrize(
    ("cost", "most"),
    [
        (costs.deals(), 5),
        (costs.categories(), 1),
        (costs.category_search(), 1),
        (costs.product_search(update_hours=None, rating=False), 10),
        (costs.product_search(update_hours=1, rating=True), 35),
        (costs.sellers(100, storefront=False), 100),
        (costs.sellers(1, storefront=True), 10),
        (costs.seller_finder(per_page=250), 13),
        (costs.top_sellers(), 50),
        (costs.lightning_deals(full_list=False), 1),
        (costs.lightning_deals(full_list=True), 500),
        (costs.trackings_added(1000), 1000),
        (costs.graph_image(), 1),
        (costs.token_status(), 0),
        (costs.finder(per_page=100, insights=True), 1041),
    ],
)
def test_every_line_of_the_price_list_has_its_bound(cost: Cost, most: int) -> None:
    assert cost.most == most
    assert cost.least <= cost.expected <= cost.most


def test_batches_fit_the_bucket() -> None:
    """INC-8: a call larger than the capacity would wait for ever."""
    assert size(products(100, offers=20), most_tokens=290) == 290 // 16
    assert size(products(100), most_tokens=10_000) == 100


def test_a_batch_of_unknown_price_leaves_most_of_the_bucket() -> None:
    """Held to its bound it would otherwise wait for a full bucket, an hour after an empty one."""
    uncertain, certain = products(100, offers=20), products(100)

    assert limit(uncertain, capacity=300, floor=10) == 75
    assert limit(uncertain, capacity=60, floor=10) == 16
    assert limit(certain, capacity=300, floor=10) == 290


def test_a_product_beyond_the_bucket_is_refused_at_once() -> None:
    with pytest.raises(Refusal) as refused:
        size(products(1, offers=100), most_tokens=50)

    assert refused.value.reason == "COST_EXCEEDS_CAPACITY"
    assert refused.value.facts == {"required": 64, "capacity": 50}
