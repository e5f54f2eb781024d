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


# The lines of Keepa's price list for products, each by the words that it has there.
PRODUCT_LINES: dict[str, tuple[dict[str, object], Cost]] = {
    "base: 1 per ASIN, unknown ones too": ({}, Cost(1, 1, 1)),
    "stats: 0": ({"stats_days": 365}, Cost(1, 1, 1)),
    "history, days: 0": ({"history": True, "history_days": 90}, Cost(1, 1, 1)),
    "videos, aplus: 0": ({"videos": True, "aplus": True}, Cost(1, 1, 1)),
    "update=N: 0": ({"update_hours": 24}, Cost(1, 1, 1)),
    "update=0: +1 if updated within the hour": ({"update_hours": 0}, Cost(1, 1, 2)),
    "update=-1: 0 when not in the database": ({"update_hours": -1}, Cost(0, 1, 1)),
    "rating: up to +1": ({"rating": True}, Cost(1, 2, 2)),
    "buybox: +2": ({"buybox": True}, Cost(1, 3, 3)),
    "buybox and rating: 4 as recorded": ({"buybox": True, "rating": True}, Cost(1, 4, 4)),
    "buybox: ignored with offers": ({"offers": 20, "buybox": True}, Cost(1, 7, 16)),
    "offers: 6 per page of 10 instead of 1": ({"offers": 20}, Cost(1, 7, 16)),
    "offers: up to 10 pages": ({"offers": 100}, Cost(1, 7, 64)),
    "only-live-offers: 0": ({"offers": 20, "only_live_offers": True}, Cost(1, 7, 16)),
    "stock: +2 within the bound": ({"offers": 20, "stock": True, "rating": True}, Cost(1, 7, 16)),
    "offers with update=0: mostly 7": ({"offers": 20, "update_hours": 0}, Cost(1, 8, 16)),
    "offers with update=-1: 0 when unknown": (
        {"offers": 20, "update_hours": -1},
        Cost(0, 7, 16),
    ),
    "historical-variations: +1": ({"historical_variations": True}, Cost(1, 1, 2)),
    "historical-variations with offers: +1": (
        {"offers": 20, "historical_variations": True},
        Cost(1, 7, 17),
    ),
}


@pytest.mark.parametrize("line", PRODUCT_LINES)
def test_one_product_costs_what_the_price_list_says(line: str) -> None:
    options, cost = PRODUCT_LINES[line]

    assert products(1, **options).cost() == cost


@pytest.mark.parametrize("line", PRODUCT_LINES)
def test_a_hundred_products_cost_a_hundred_times_as_much(line: str) -> None:
    """Rounding a mean up for each product would make estimates of batches too high."""
    options, cost = PRODUCT_LINES[line]
    hundred = products(100, **options).cost()

    assert (hundred.least, hundred.most) == (100 * cost.least, 100 * cost.most)
    assert hundred.least <= hundred.expected <= 100 * cost.expected


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


# Every other line of the price list: least, expected, most.
OTHER_LINES: dict[str, tuple[Cost, Cost]] = {
    "token: 0": (costs.token_status(), Cost(0, 0, 0)),
    "deal: 5 per request, none found too": (costs.deals(), Cost(5, 5, 5)),
    "bestsellers: 50, 0 without a list": (costs.best_sellers(), Cost(0, 50, 50)),
    "category: 1 per request": (costs.categories(), Cost(1, 1, 1)),
    "search for categories: 1": (costs.category_search(), Cost(1, 1, 1)),
    "search for products: 10": (
        costs.product_search(update_hours=None, rating=False),
        Cost(10, 10, 10),
    ),
    "search, update 0: +1 per product": (
        costs.product_search(update_hours=0, rating=False),
        Cost(10, 10, 30),
    ),
    "search, update 1: +1 per product": (
        costs.product_search(update_hours=1, rating=False),
        Cost(10, 10, 30),
    ),
    "search, update 24: 0": (costs.product_search(update_hours=24, rating=False), Cost(10, 10, 10)),
    "search, rating: up to +5": (
        costs.product_search(update_hours=None, rating=True),
        Cost(10, 12, 15),
    ),
    "query: 10 + 1 per started 100": (
        costs.finder(per_page=101, insights=False),
        Cost(10, 12, 12),
    ),
    "query, stats: +30 +1 per million": (
        costs.finder(per_page=100, insights=True),
        Cost(40, 42, 1041),
    ),
    "seller: 1 per seller found": (costs.sellers(100, storefront=False), Cost(0, 100, 100)),
    "seller, storefront: 10": (costs.sellers(1, storefront=True), Cost(0, 10, 10)),
    "sellerquery: 10 + 1 per 100": (costs.seller_finder(per_page=250), Cost(10, 13, 13)),
    "topseller: 50": (costs.top_sellers(), Cost(0, 50, 50)),
    "lightningdeal: 1 with asin": (costs.lightning_deals(full_list=False), Cost(1, 1, 1)),
    "lightningdeal: 500 for the list": (
        costs.lightning_deals(full_list=True),
        Cost(500, 500, 500),
    ),
    "tracking: add 1 each": (costs.trackings_added(1000), Cost(0, 1000, 1000)),
    "graphimage: 1, free if repeated": (costs.graph_image(), Cost(0, 1, 1)),
}


@pytest.mark.parametrize("line", OTHER_LINES)
def test_every_other_line_of_the_price_list_has_its_bound(line: str) -> None:
    told, cost = OTHER_LINES[line]

    assert told == cost


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
        limit(products(1, offers=100), capacity=60, floor=10)

    assert refused.value.reason == "COST_EXCEEDS_CAPACITY"
    assert refused.value.facts == {"required": 64 + 10, "capacity": 60}
