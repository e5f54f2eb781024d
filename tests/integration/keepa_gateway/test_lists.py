"""Claims about lists of categories and products by words."""

import asyncio
import json
import uuid

import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from tests.integration.keepa_gateway.world import World, collected, products
from tests.support import refusal

pytestmark = pytest.mark.anyio

BOOKS = 283155


def ided(**fields: object) -> dict[str, object]:
    return {"request_id": str(uuid.uuid4()), **fields}


async def test_categories_are_paid_once_for_all(world: World) -> None:
    storm = await asyncio.gather(
        *(
            world.gateway.GetCategories(pb.GetCategoriesRequest(**ided(category_ids=[BOOKS, 1])))
            for _ in range(10)
        )
    )

    assert sum(one.token_count for one in storm) == 1
    (books,) = storm[0].categories
    assert (books.id, books.parent_id, books.currency_code) == (BOOKS, 0, "USD")
    assert books.child_ids
    assert list(storm[0].missing_category_ids) == [1]


async def test_parents_come_along_free_of_charge(world: World) -> None:
    roots = await world.gateway.GetCategories(pb.GetCategoriesRequest(**ided(category_ids=[0])))
    child = roots.categories[0].child_ids[0]

    found = await world.gateway.GetCategories(
        pb.GetCategoriesRequest(**ided(category_ids=[child], include_parents=True))
    )

    assert found.token_count == 1
    assert found.categories[0].parent_id in {one.id for one in found.parents}


async def test_categories_are_found_by_words(world: World) -> None:
    roots = await world.gateway.GetCategories(pb.GetCategoriesRequest(**ided(category_ids=[BOOKS])))
    word = roots.categories[0].name

    found = await world.gateway.SearchCategories(pb.SearchCategoriesRequest(**ided(term=word)))

    assert BOOKS in {one.id for one in found.categories}
    counts = [one.product_count for one in found.categories]
    assert counts == sorted(counts, reverse=True)


async def test_searched_products_are_stored_like_any_other(world: World) -> None:
    """Ten tokens buy up to twenty products; asking for one of them again costs nothing."""
    asin = world.sandbox.asins(1)
    known = await collected(world.gateway.GetProducts(products(asin)))
    word = max(known[asin[0]].product.title.split(), key=len)
    request = pb.SearchProductsRequest(**ided(term=word, stats_days=90, history=True))

    found = await world.gateway.SearchProducts(request)
    again = await world.gateway.SearchProducts(pb.SearchProductsRequest(**ided(term=word)))

    assert found.token_count == 10
    assert 0 < len(found.asins) <= 20
    assert [one.asin for one in found.products] == list(found.asins)
    assert not any(one.series for one in found.products)
    assert again.token_count == 10
    options = pb.ProductOptions(stats_days=90, history=True)
    stored = await collected(
        world.gateway.GetProducts(products(list(found.asins), options=options, cache_only=True))
    )
    assert {one.status for one in stored.values()} == {pb.PRODUCT_STATUS_CACHED}
    assert any(one.product.series for one in stored.values())


async def test_every_list_can_be_estimated(world: World) -> None:
    """G9: before it is sent, and with what is stored subtracted."""
    asked = pb.GetCategoriesRequest(**ided(category_ids=[BOOKS], domain=pb.DOMAIN_DE))
    search = pb.SearchProductsRequest(**ided(term="history", update_hours=0, rating=True))

    before = await world.gateway.EstimateCost(pb.EstimateCostRequest(categories=asked))
    await world.gateway.GetCategories(asked)
    after = await world.gateway.EstimateCost(pb.EstimateCostRequest(categories=asked))
    most = await world.gateway.EstimateCost(pb.EstimateCostRequest(search=search))

    assert (before.most_token_count, after.most_token_count, after.cached_count) == (1, 0, 1)
    assert (most.least_token_count, most.most_token_count) == (10, 35)


async def test_what_keepa_would_not_take_is_refused_here(world: World) -> None:
    request = pb.GetCategoriesRequest(**ided(category_ids=[0, BOOKS]))

    refused = await refusal(world.gateway.GetCategories(request))

    assert refused.reason == "INVALID_FIELD"
    assert [violation.field for violation in refused.violations] == ["category_ids"]


async def test_an_estimate_names_the_field_within_the_request_it_is_about(world: World) -> None:
    """The path leads from what was sent, not from what it was taken apart into."""
    wrong = pb.GetCategoriesRequest(request_id=str(uuid.uuid4()), category_ids=[0, 5])

    refused = await refusal(world.gateway.EstimateCost(pb.EstimateCostRequest(categories=wrong)))

    assert [one.field for one in refused.violations] == ["categories.category_ids"]


async def test_the_finder_says_what_all_matches_have_in_common(world: World) -> None:
    """Insights cost 30 and 1 for each started million, and are kept with the page."""
    request = pb.FindProductsRequest(
        request_id=str(uuid.uuid4()),
        selection=pb.ProductSelection(root_category_id=283155),
        insights=True,
    )

    first = await world.gateway.FindProducts(request)
    request.request_id = str(uuid.uuid4())
    again = await world.gateway.FindProducts(request)

    assert first.token_count == 10 + 1 + 30 + 1
    assert isinstance(json.loads(first.insights_json), dict)
    assert (again.token_count, again.insights_json) == (0, first.insights_json)
