"""A look at offers that failed: what it brought is kept, and what was paid for before it as well."""

from typing import Any

import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from tests.integration.keepa_gateway.world import Sandbox, World, collected, products

pytestmark = pytest.mark.anyio

OFFERS = pb.ProductOptions(stats_days=90, offer_count=20)
NOTHING_STORED = Duration(seconds=0)


async def ask(world: World, request: pb.GetProductsRequest) -> dict[str, pb.ProductResult]:
    return await collected(world.gateway.GetProducts(request))


async def with_offers(world: World, sandbox: Sandbox) -> dict[str, pb.ProductResult]:
    """Products whose offers were read; a few, as reading them fails of itself now and then."""
    found = await ask(world, products(sandbox.asins(5), options=OFFERS))
    read = {asin: one for asin, one in found.items() if one.product.offers_fetched}
    assert read
    return read


async def failed(world: World, sandbox: Sandbox, asins: list[str], **more: Any) -> Any:
    await sandbox.fault(fault="failed_offers", path="/product")
    return await ask(world, products(asins, options=OFFERS, **more))


async def test_offers_that_were_paid_for_outlive_a_look_that_failed(
    world: World, rich_sandbox: Sandbox
) -> None:
    """Who asks for offers gets those of before, with their age; who asks for prices, the new."""
    read = await with_offers(world, rich_sandbox)
    asins = list(read)

    later = await failed(world, rich_sandbox, asins, max_age_duration=NOTHING_STORED)
    again = await ask(world, products(asins, options=OFFERS))
    plain = await ask(world, products(asins, options=pb.ProductOptions(stats_days=90)))

    for asin in asins:
        assert (later[asin].status, later[asin].token_count) == (pb.PRODUCT_STATUS_FOUND, 1)
        assert not later[asin].product.offers_fetched
        assert (again[asin].status, again[asin].token_count) == (pb.PRODUCT_STATUS_CACHED, 0)
        assert again[asin].product.offers == read[asin].product.offers
        assert again[asin].fetch_time == read[asin].fetch_time
        assert plain[asin].fetch_time == later[asin].fetch_time


async def test_a_failed_look_is_repeated_under_its_own_id_for_nothing(
    world: World, rich_sandbox: Sandbox
) -> None:
    """To who asked for nothing stored, the offers of before would pass for new ones."""
    asins = list(await with_offers(world, rich_sandbox))
    await rich_sandbox.fault(fault="failed_offers", path="/product")
    request = products(asins, options=OFFERS, max_age_duration=NOTHING_STORED)
    first = await ask(world, request)
    asked = len(await rich_sandbox.asked("product"))

    second = await ask(world, request)

    for asin in asins:
        one, other = first[asin], second[asin]
        assert (one.product, one.fetch_time) == (other.product, other.fetch_time)
        assert (one.status, one.token_count) == (other.status, other.token_count)
        assert not one.product.offers_fetched
    assert len(await rich_sandbox.asked("product")) == asked


async def test_the_same_failure_is_not_paid_for_twice(world: World, rich_sandbox: Sandbox) -> None:
    """For an hour it answers who would ask Keepa; who asks the store alone has nothing there."""
    asins = rich_sandbox.asins(1)
    first = await failed(world, rich_sandbox, asins)
    asked = len(await rich_sandbox.asked("product"))

    second = await ask(world, products(asins, options=OFFERS))
    stored = await ask(world, products(asins, options=OFFERS, cache_only=True))
    estimate = await world.gateway.EstimateCost(
        pb.EstimateCostRequest(products=products(asins, options=OFFERS))
    )

    (one,), (again,), (kept,) = first.values(), second.values(), stored.values()
    assert (one.product.offers_fetched, one.product.HasField("offers_fetched")) == (False, True)
    assert (again.status, again.product) == (pb.PRODUCT_STATUS_CACHED, one.product)
    assert (kept.status, kept.reason) == (pb.PRODUCT_STATUS_REFUSED, "NOT_STORED")
    assert (estimate.most_token_count, estimate.cached_count) == (0, 1)
    assert len(await rich_sandbox.asked("product")) == asked


async def test_of_products_whose_offers_nobody_asked_for_nothing_is_said(
    world: World, rich_sandbox: Sandbox
) -> None:
    """Keepa says that fetching them did not succeed, of these too."""
    (one,) = (await ask(world, products(rich_sandbox.asins(1)))).values()

    assert not one.product.HasField("offers_fetched")
