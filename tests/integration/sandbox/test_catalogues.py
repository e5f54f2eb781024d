"""A hundred products at once, and a shop of recorded answers, over a real port."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.catalogue.recorded import load
from deploy.sandbox.clock import Clock
from deploy.sandbox.keepa_time import minute_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def recorded() -> Any:
    """Every recorded product, as if recorded just now."""
    beside = Path(__file__).resolve().parents[4] / "shared"
    folder = Path(os.environ.get("AV_SHARED", beside)) / "keepa_samples"
    if not folder.is_dir():
        pytest.skip("the optional folder ../shared is absent")
    return load(folder, minute_of(Clock()()))


async def test_a_hundred_products_without_history_are_quick(caller: Any) -> None:
    """The stand-in must not be what a benchmark of the gateway measures."""
    selection = json.dumps({"productType": [0], "perPage": 100, "current_SALES_gte": 1_000})
    asins = ",".join((await caller.body("/query", selection=selection))["asinList"])
    await caller.body("/product", asin=asins, stats=365, history=0)

    began = time.process_time()
    body = await caller.body("/product", asin=asins, stats=365, history=0)
    used = time.process_time() - began

    assert len(body["products"]) == 100
    assert used < 0.8  # about 0.1 s alone; the client decodes in the same process


async def test_a_finder_of_averages_lets_others_through(caller: Any) -> None:
    """Telling every history takes a while; /token must not wait for it."""
    selection = json.dumps({"avg90_SALES_lte": 10_000_000})
    answered = 0
    finding = asyncio.create_task(caller.get("/query", selection=selection))
    while not finding.done():
        await caller.get("/token")
        answered += 1

    assert (await finding).status_code == 200
    assert answered >= 3  # Once, or twice in a race, if the finder did not give way.


async def test_recorded_products_are_found_priced_and_ranked(
    start: Callable[..., Any], recorded: Any
) -> None:
    """Discovery, scoring and best sellers work on what was really once answered."""
    async with start(catalogue=recorded) as caller:
        selection = json.dumps({"rootCategory": [283155], "current_USED_gte": 1_000})
        found = await caller.body("/query", selection=selection)
        asins = found["asinList"]
        products = (await caller.body("/product", asin=",".join(asins), stats=365))["products"]
        listed = (await caller.body("/bestsellers", category=283155))["bestSellersList"]
        japanese = await caller.body("/product", asin="B0D4M48BM2", domain=5, stats=90)

    assert len(asins) > 5
    assert {product["asin"] for product in products} == set(asins)
    assert all(product["stats"]["current"][2] >= 1_000 for product in products)
    assert [asin for asin in listed["asinList"] if asin in asins] == asins
    assert japanese["products"][0]["productType"] == 0


async def test_recorded_offers_are_paid_by_the_page(
    start: Callable[..., Any], recorded: Any
) -> None:
    """1,210 offers in the history, 17 of them live: two pages of ten."""
    async with start(catalogue=recorded) as caller:
        book = "0593655036"
        bodies = [await caller.body("/product", asin=book, offers=20) for _ in range(4)]
        unrecorded = await caller.body("/product", asin="B0F7XPYCSJ", offers=20)

    paged = [body for body in bodies if body["products"][0]["offersSuccessful"]]
    assert {body["tokensConsumed"] for body in paged} == {12}
    assert len(paged[0]["products"][0]["liveOffersOrder"]) <= 20
    assert unrecorded["tokensConsumed"] == 1
    assert unrecorded["products"][0]["offersSuccessful"] is False
