"""Every option costs what Keepa charges for it (requirements T3, G2)."""

import json
from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

UNKNOWN = "B000000000"


async def books(caller: Any, **fields: Any) -> list[str]:
    """Find ordinary books."""
    selection = json.dumps({"productType": [0], "perPage": 100, **fields})
    found: list[str] = (await caller.body("/query", selection=selection))["asinList"]
    return found


async def cost(caller: Any, path: str, **params: Any) -> int:
    """Return what a call consumed; the balance must have fallen by as much."""
    before = (await caller.balance())["tokensLeft"]
    body = await caller.body(path, **params)
    assert (await caller.balance())["tokensLeft"] == before - body["tokensConsumed"]
    return int(body["tokensConsumed"])


@pytest.mark.parametrize(
    ("options", "each"),
    [
        ({}, 1),
        ({"stats": 365, "history": 0, "days": 90, "videos": 1, "aplus": 1}, 1),
        ({"buybox": 1}, 3),
        ({"buyBox": 1, "onlyLiveOffers": 1}, 1),
        ({"update": 24}, 1),
        ({"update": -1}, 1),
    ],
)
async def test_options_of_a_product(caller: Any, options: dict[str, Any], each: int) -> None:
    """Free options are free, the buy box is 2, and names in the wrong case are ignored."""
    asins = (await books(caller))[:7]

    assert await cost(caller, "/product", asin=",".join(asins), **options) == 7 * each


async def test_an_unknown_asin_costs_its_token_unless_nothing_may_be_refreshed(
    caller: Any,
) -> None:
    """Type 4 at 1 token; with update=-1 it is neither charged nor returned."""
    body = await caller.body("/product", asin=UNKNOWN)
    frozen = await caller.body("/product", asin=UNKNOWN, update=-1)

    assert body["tokensConsumed"] == 1
    assert body["products"][0]["productType"] == 4
    assert (frozen["tokensConsumed"], frozen["products"]) == (0, [])


async def test_a_live_refresh_costs_one_more_within_the_hour(caller: Any) -> None:
    """update=0 on what was refreshed a moment ago: the surprise of keepa issue 20."""
    asin = (await books(caller))[0]
    await caller.body("/product", asin=asin)

    forced = await caller.body("/product", asin=asin, update=0)
    usual = await caller.body("/product", asin=asin)

    assert forced["tokensConsumed"] == 2
    assert usual["tokensConsumed"] == 1


async def test_a_code_costs_what_it_returns(caller: Any) -> None:
    """INC-6: per returned product, so an unknown code is free and a known one is not."""
    asin = (await books(caller))[0]
    ean = (await caller.body("/product", asin=asin))["products"][0]["eanList"][0]

    known = await caller.body("/product", code=ean, code_limit=5)
    unknown = await caller.body("/product", code="9999999999999")

    assert known["tokensConsumed"] == 1
    assert known["products"][0]["asin"] == asin
    assert (unknown["tokensConsumed"], unknown["products"]) == (0, [])


async def test_one_code_can_be_that_of_many_products(caller: Any) -> None:
    """INC-6: one GTIN ate 1,500 tokens; `code-limit` is what stops it, for each code."""
    asin = (await books(caller))[0]
    upc = (await caller.body("/product", asin=asin))["products"][0]["upcList"][0]

    capped = await caller.body("/product", code=upc, code_limit=3)
    whole = await caller.body("/product", code=upc)

    assert capped["tokensConsumed"] == len(capped["products"]) == 3
    assert whole["tokensConsumed"] == len(whole["products"]) > 10
    assert all(product["upcList"] == [upc] for product in whole["products"])


async def test_rating_costs_one_where_it_is_fresh(caller: Any) -> None:
    """Up to +1 per product."""
    asins = await books(caller)

    consumed = await cost(caller, "/product", asin=",".join(asins), rating=1)

    assert 1.8 * len(asins) < consumed <= 2 * len(asins)


async def test_offers_cost_what_was_measured_in_303_calls(start: Any) -> None:
    """INC-5: mostly 6, sometimes 8 or 12, seldom 2 or 4; unknowable before, never above 16."""
    async with start(rate=1_000, left=60_000) as caller:
        asins = await books(caller)
        options = {"offers": 20, "stats": 365, "rating": 1, "stock": 1, "history": 0}
        calls = [await caller.body("/product", asin=asin, **options) for asin in asins]
        batch = await cost(caller, "/product", asin=",".join(asins), **options)

    seen = Counter(body["tokensConsumed"] for body in calls)
    assert seen.keys() <= {1, 2, 3, 4, 6, 8, 12, 14}
    assert 0.7 < seen[6] / len(calls) < 0.93
    assert 0.05 < seen[8] / len(calls) < 0.25
    assert seen[1] + seen[2] + seen[3] + seen[4] < 0.08 * len(calls)
    assert 5.5 * len(asins) < batch < 8 * len(asins)
    failed = [body for body in calls if body["tokensConsumed"] < 5]
    assert all(not body["products"][0]["offersSuccessful"] for body in failed)


async def test_offers_fail_by_order_at_a_token_a_product(caller: Any) -> None:
    """As they do of themselves, seldom; and the products come without any."""
    joined = ",".join((await books(caller))[:10])
    await caller.order(fault="failed_offers", path="/product")

    failed = await caller.body("/product", asin=joined, offers=20)
    after = await caller.body("/product", asin=joined, offers=20)

    assert failed["tokensConsumed"] == 10
    assert not any(product["offersSuccessful"] for product in failed["products"])
    assert not any("offers" in product for product in failed["products"])
    assert any(product["offersSuccessful"] for product in after["products"])


async def test_offers_that_were_just_fetched_cost_five_with_update(caller: Any) -> None:
    """5 flat when `update` is given and the offers are newer than that."""
    asins = (await books(caller))[:10]
    joined = ",".join(asins)
    await caller.body("/product", asin=joined, offers=20)

    again = await caller.body("/product", asin=joined, offers=20, update=24)

    failed = sum(not product["offersSuccessful"] for product in again["products"])
    assert again["tokensConsumed"] == 5 * (10 - failed) + failed


async def test_best_sellers_cost_fifty_even_for_an_empty_list(caller: Any) -> None:
    """INC-2: 50 for a list, 50 for an empty one, 0 for an unknown category."""
    listed = await caller.body("/bestsellers", category=283155)
    empty = await caller.body("/bestsellers", category=468226)
    unknown = await caller.body("/bestsellers", category=465600)

    assert listed["tokensConsumed"] == empty["tokensConsumed"] == 50
    assert len(listed["bestSellersList"]["asinList"]) > 200
    assert empty["bestSellersList"]["asinList"] == []
    assert (unknown["tokensConsumed"], unknown["bestSellersList"]) == (0, None)


async def test_best_sellers_are_in_order_of_rank(caller: Any) -> None:
    asins = (await caller.body("/bestsellers", category=5))["bestSellersList"]["asinList"]
    products = (await caller.body("/product", asin=",".join(asins[:20]), stats=90))["products"]
    ranks = [product["stats"]["current"][3] for product in products]

    assert ranks == sorted(ranks)


async def test_the_finder_costs_ten_and_one_for_every_started_hundred(caller: Any) -> None:
    """10 + n/100 of the page that is returned; a page with nothing is 10."""
    everything = await caller.body("/query", selection=json.dumps({"perPage": 10_000}))
    page = await caller.body("/query", selection=json.dumps({"perPage": 50, "page": 1}))
    nothing = await caller.body("/query", selection=json.dumps({"title": "no such words"}))

    assert everything["tokensConsumed"] == 10 + -(-everything["totalResults"] // 100)
    assert page["tokensConsumed"] == 11
    assert page["asinList"] == everything["asinList"][50:100]
    assert (nothing["tokensConsumed"], nothing["totalResults"]) == (10, 0)


async def test_the_finder_takes_its_selection_as_a_body_too(caller: Any) -> None:
    """GET with `selection` and POST with the selection itself are the same question."""
    selection = {"current_SALES_gte": 1_000, "current_SALES_lte": 100_000, "perPage": 50}
    url = "/query?domain=1&key=k"

    posted = (await caller.http.post(url, json=selection)).json()
    asked = await caller.body("/query", selection=json.dumps(selection))

    assert posted["asinList"] == asked["asinList"] != []
    assert posted["tokensConsumed"] == 11


async def test_insights_cost_thirty_and_one_for_every_started_million(caller: Any) -> None:
    """`stats=1` says what all matches have in common, whatever page is asked for."""
    selection = json.dumps({"perPage": 50, "rootCategory": [283155]})

    body = await caller.body("/query", selection=selection, stats=1)

    assert body["tokensConsumed"] == 10 + 1 + 30 + 1
    insights = body["searchInsights"]
    assert insights["avgBuyBox"] > 0
    assert 0 < insights["soldByAmazonPercent"] < 100
    assert len(insights["topSellers"]) == 10


async def test_categories_cost_one_a_request(caller: Any) -> None:
    """The ids of requirements section 7, up to ten at once, and all roots with 0."""
    ids = (283155, 3839, 5, 3508, 173514, 173515, 266117, 3, 8975347011, 75)
    looked_up = await caller.body("/category", category=",".join(map(str, ids)), parents=1)
    roots = await caller.body("/category", category=0)
    found = await caller.body("/search", type="category", term="computer")

    assert looked_up["categories"].keys() == {str(id_) for id_ in ids}
    assert looked_up["categories"]["3839"]["parent"] == 5
    assert set(looked_up["categoryParents"]) >= {"283155", "5"}
    assert roots["categories"].keys() == {"283155"}
    assert {"5", "3508"} <= found["categories"].keys()
    for body in (looked_up, roots, found):
        assert body["tokensConsumed"] == 1


async def test_a_product_search_costs_ten_for_up_to_twenty(caller: Any) -> None:
    """Since 2026-04-20: 10 per request of up to 20 products."""
    found = await caller.body("/search", type="product", term="practice", stats=90)
    listed = await caller.body("/search", type="product", term="practice", asins_only=1)
    none = await caller.body("/search", type="product", term="no such words")

    assert found["tokensConsumed"] == listed["tokensConsumed"] == none["tokensConsumed"] == 10
    assert 0 < len(found["products"]) <= 20
    assert [product["asin"] for product in found["products"]] == listed["asinList"]


async def test_products_of_another_locale_are_unknown(caller: Any) -> None:
    """The invented books are sold on amazon.com only."""
    asin = (await books(caller))[0]

    abroad = await caller.body("/product", asin=asin, domain=3)

    assert abroad["products"][0]["productType"] == 4
    assert abroad["products"][0]["domainId"] == 3
    assert (await caller.body("/query", selection="{}", domain=3))["totalResults"] == 0


DEALS = {
    "page": 0,
    "domainId": "1",
    "dateRange": "3",
    "priceTypes": [1],
    "includeCategories": [283155],
    "isRangeEnabled": True,
    "isFilterEnabled": True,
    "filterErotic": True,
    "salesRankRange": [500, -1],
    "deltaPercentRange": [1, 2_147_483_647],
    "currentRange": [800, 30_100],
    "sortType": 4,
}


async def test_deals_cost_five_and_look_as_recorded(caller: Any, sample: Any) -> None:
    """5 per page, also for none; a repeated question within 120 s is cached and costs 5 again."""
    real = sample("deals_us_books_one_deal_20250916_response.json")

    found = await caller.body("/deal", selection=json.dumps(DEALS))
    again = (await caller.http.post("/deal?key=k", json=DEALS)).json()
    none = await caller.body("/deal", selection=json.dumps({**DEALS, "page": 60}))

    assert found["tokensConsumed"] == again["tokensConsumed"] == none["tokensConsumed"] == 5
    assert (found["dealsCached"], again["dealsCached"]) == (False, True)
    assert found.keys() == real.keys()
    assert found["deals"].keys() == real["deals"].keys()
    assert found["deals"]["dr"] == again["deals"]["dr"] != none["deals"]["dr"] == []
    example = real["deals"]["dr"][0]
    for deal in found["deals"]["dr"]:
        assert deal.keys() == example.keys()
        assert {k: type(v) for k, v in deal.items()} == {k: type(v) for k, v in example.items()}
        assert deal["deltaPercent"][3][1] >= 1
        assert deal["delta"][3][1] == deal["avg"][3][1] - deal["current"][1] > 0
    percents = [deal["deltaPercent"][3][1] for deal in found["deals"]["dr"]]
    assert percents == sorted(percents, reverse=True)


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"dateRange": "7"}, "dateRange"),
        ({"priceTypes": []}, "priceTypes"),
        ({"priceTypes": [1, 2]}, "priceTypes"),
        ({"selection": {}}, "selection"),
        ({"sortType": 0}, "sortType"),
        ({"currentRange": [1]}, "currentRange"),
    ],
)
async def test_a_refused_selection_of_deals_names_its_field(
    caller: Any, change: dict[str, Any], details: str
) -> None:
    """Recorded: dateRange outside 0 to 3, priceTypes missing because the body was wrapped."""
    answer = await caller.get("/deal", selection=json.dumps({**DEALS, **change}))

    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == details
    assert answer.json()["tokensConsumed"] == 0


async def test_sellers_cost_one_each_and_ten_with_their_storefront(caller: Any) -> None:
    """Not found is free; the list of the largest costs 50."""
    top = await caller.body("/topseller")
    ids = top["sellerIdList"]
    found = await caller.body("/seller", seller=",".join([*ids[:99], "NOBODY"]))
    front = await caller.body("/seller", seller=ids[0], storefront=1)
    refused = await caller.get("/seller", seller=",".join(ids[:2]), storefront=1)

    assert (top["tokensConsumed"], found["tokensConsumed"], front["tokensConsumed"]) == (50, 99, 10)
    assert found["sellers"].keys() == set(ids[:99])
    shop = front["sellers"][ids[0]]
    assert len(shop["asinList"]) == shop["totalStorefrontAsins"][1] > 1
    assert refused.status_code == 400


async def test_a_storefront_holds_what_its_seller_offers(caller: Any) -> None:
    """A seller of an offer is a seller that can be looked up."""
    asin = (await books(caller))[0]
    product = (await caller.body("/product", asin=asin, offers=20, update=0))["products"][0]
    seller = product["offers"][0]["sellerId"]

    shop = await caller.body("/seller", seller=seller, storefront=1)

    assert asin in shop["sellers"][seller]["asinList"]


async def test_lightning_deals_cost_one_by_asin_and_five_hundred_in_full(caller: Any) -> None:
    """The full list is half of a usual bucket, so it needs an explicit yes."""
    listed = await caller.body("/lightningdeal")
    upcoming = await caller.body("/lightningdeal", state="UPCOMING")
    asin = listed["lightningDeals"][0]["asin"]
    one = await caller.body("/lightningdeal", asin=asin)
    nothing = await caller.body("/lightningdeal", asin=UNKNOWN)

    assert listed["tokensConsumed"] == upcoming["tokensConsumed"] == 500
    assert one["tokensConsumed"] == nothing["tokensConsumed"] == 1
    assert [deal["asin"] for deal in one["lightningDeals"]] == [asin]
    assert nothing["lightningDeals"] == []
    assert {deal["dealState"] for deal in upcoming["lightningDeals"]} == {"UPCOMING"}


async def test_sellers_are_found_by_their_properties(caller: Any) -> None:
    """10 and 1 for every started 100 of the page; an unknown field is refused by its name."""
    selection = {"currentRating_gte": 95, "hasFBA": True, "sort": [["currentRatingCount", "asc"]]}

    found = await caller.body("/sellerquery", selection=json.dumps(selection))
    rest = (await caller.http.post("/sellerquery?domain=1&key=k", json={"page": 1})).json()
    refused = await caller.get("/sellerquery", selection='{"mood_gte": 1}')
    strange = await caller.get("/sellerquery", selection='{"sort": [[["currentRating"], "asc"]]}')

    ids = found["sellerIdList"]
    assert found["tokensConsumed"] == 10 + -(-len(ids) // 100) == 11
    assert rest["tokensConsumed"] == 11
    assert 0 < found["totalResults"] < rest["totalResults"]
    sellers = (await caller.body("/seller", seller=",".join(ids)))["sellers"]
    assert all(sellers[id_]["currentRating"] >= 95 and sellers[id_]["hasFBA"] for id_ in ids)
    counts = [sellers[id_]["currentRatingCount"] for id_ in ids]
    assert counts == sorted(counts)
    assert refused.json()["error"]["details"] == "mood_gte"
    assert strange.json()["error"]["details"] == "sort"


async def track(caller: Any, kind: str, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = await caller.body("/tracking", type=kind, **more)
    return body


async def test_trackings_cost_one_each_and_slow_the_refill(caller: Any) -> None:
    """A tracking of every hour takes 0.9 tokens an hour off the plan, for as long as it lives."""
    asins = (await books(caller))[:40]
    orders = [{"asin": asin, "mainDomainId": 1, "updateInterval": 1} for asin in asins]
    url = "/tracking?type=add&key=k"

    added = (await caller.http.post(url, json=orders)).json()
    listed = await track(caller, "list", asins_only=1)
    one = await track(caller, "get", asin=asins[0])
    balance = await caller.balance()

    assert added["tokensConsumed"] == len(added["trackings"]) == 40
    assert (listed["tokensConsumed"], set(listed["asinList"])) == (0, set(asins))
    assert one["trackings"][0]["asin"] == asins[0]
    assert listed["tokenFlowReduction"] == balance["tokenFlowReduction"] == 0.6
    await caller.http.post("/_sandbox/clock", json={"scale": 0, "advance": 602_000})
    assert (await caller.balance())["tokensLeft"] == 1_200  # from 1,149, with 19.4 a tick

    await track(caller, "remove", asin=asins[0])
    assert (await caller.body("/token"))["tokenFlowReduction"] == 0.585
    await track(caller, "removeAll")
    assert (await caller.body("/token"))["tokenFlowReduction"] == 0
    assert (await track(caller, "notification", since=0))["notifications"] == []
    assert (await track(caller, "webhook", url="https://example.org"))["tokensConsumed"] == 0


@pytest.mark.parametrize(
    "order",
    [
        {},
        3,
        {"asin": "short"},
        {"asin": UNKNOWN, "updateInterval": 0},
        {"asin": UNKNOWN, "updateInterval": True},
        {"asin": UNKNOWN, "mainDomainId": 7},
        {"asin": UNKNOWN, "mainDomainId": [1]},
        {"asin": UNKNOWN, "thresholdValues": 5},
    ],
)
async def test_a_wrong_tracking_is_refused_whole(caller: Any, order: Any) -> None:
    """Nothing is tracked, nothing is charged."""
    orders = [{"asin": "B000000001"}, order]

    refused = await caller.http.post("/tracking?type=add&key=k", json=orders)

    assert (refused.status_code, refused.json()["tokensConsumed"]) == (400, 0)
    assert (await track(caller, "list"))["trackings"] == []


async def test_a_picture_costs_one_and_the_same_one_nothing(caller: Any) -> None:
    """A PNG without token fields: its cost shows in the balance only."""
    asin = (await books(caller))[0]
    before = (await caller.balance())["tokensLeft"]

    first = await caller.get("/graphimage", asin=asin, width=320, height=120, salesrank=1)
    again = await caller.get("/graphimage", asin=asin, width=320, height=120, salesrank=1)
    other = await caller.get("/graphimage", asin=asin, range=30)

    assert first.headers["content-type"] == "image/png"
    assert first.content[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(first.content[16:20]) == 320
    assert first.content == again.content != other.content
    assert (await caller.balance())["tokensLeft"] == before - 2
    refused = await caller.get("/graphimage", asin=asin, width=5)
    assert (refused.status_code, refused.json()["error"]["details"]) == (400, "width")
