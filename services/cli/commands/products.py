"""Searching and scoring products."""

from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import options, show
from services.cli.asking import asking, progress, show_all, show_one
from services.cli.patience import patiently
from services.cli.stack import Stack


def discover(  # noqa: PLR0917 - one option each
    category: options.Categories = None,
    rank_min: options.RankMin = 0,
    rank_max: options.RankMax = 0,
    price_min: options.PriceMin = 0,
    price_max: options.PriceMax = 0,
    max_results: options.Results = 10,
    strategy: options.Strategy = "",
    offers: options.Offers = 0,
    at_least: options.AtLeast = "",
    *,
    best_sellers: options.BestSellers = False,
    cache_only: options.CacheOnly = False,
    accept_stale: options.AcceptStale = False,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Find products and score them, best first."""
    options.consistent(cache_only=cache_only, accept_stale=accept_stale, refresh=refresh)
    searched = options.product_filter(category, (rank_min, rank_max), (price_min, price_max))
    searched.max_results = max_results
    if best_sellers:
        searched.source = discovery.DISCOVERY_SOURCE_BEST_SELLERS
    request = discovery.DiscoverScoredProductsRequest(
        request_id=str(uuid4()),
        filter=searched,
        options=discovery.ScoringOptions(strategy=options.strategy_named(strategy)),
        minimum_recommendation=options.advice_named(at_least),
        offer_check_count=offers,
        cache_only=cache_only,
        accept_stale=accept_stale,
        force_refresh=refresh,
    )
    question = discovery.EstimateDiscoveryRequest(
        filter=searched, scored_count=max_results, force_refresh=refresh, offer_check_count=offers
    )

    async def ask(stack: Stack) -> None:
        await _tell_price(stack, question, free=cache_only)
        answer = await patiently(lambda: stack.discovery.DiscoverScoredProducts(request))
        show_all(answer.scores, show.scores(answer.scores), json=json)
        progress.print(show.search(answer.info, answer.total_count))

    asking(ask)


def score(
    asin: Annotated[list[str], typer.Argument(help="ASINs to score.")],
    strategy: options.Strategy = "",
    offers: options.Offers = 0,
    *,
    cache_only: options.CacheOnly = False,
    accept_stale: options.AcceptStale = False,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Score given products."""
    options.consistent(cache_only=cache_only, accept_stale=accept_stale, refresh=refresh)
    request = discovery.ScoreProductsRequest(
        request_id=str(uuid4()),
        asins=asin,
        options=discovery.ScoringOptions(strategy=options.strategy_named(strategy)),
        offer_check_count=offers,
        cache_only=cache_only,
        accept_stale=accept_stale,
        force_refresh=refresh,
    )
    question = discovery.EstimateDiscoveryRequest(
        asins=discovery.AsinList(asins=asin), force_refresh=refresh, offer_check_count=offers
    )

    async def collect(stack: Stack) -> list[discovery.ScoreProductsResponse]:
        return [part async for part in stack.discovery.ScoreProducts(request)]

    async def ask(stack: Stack) -> None:
        await _tell_price(stack, question, free=cache_only)
        *parts, end = await patiently(lambda: collect(stack))
        # A product that was looked at again comes a second time, which replaces the first.
        found = {part.score.asin: part.score for part in parts}
        show_all(found.values(), show.scores([*found.values()]), json=json)
        progress.print(show.came_about(end.info))

    asking(ask)


def verify(
    asin: Annotated[str, typer.Argument(help="The product that you are about to buy.")],
    than: Annotated[
        str, typer.Option(help="scores/<uuid> that you decided on; without it, the newest one.")
    ] = "",
    *,
    json: options.Json = False,
) -> None:
    """Fetch a product afresh and say whether it is still worth buying. Usually 6 tokens."""
    request = discovery.VerifyProductRequest(request_id=str(uuid4()), asin=asin)
    if than:
        request.score = than

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.discovery.VerifyProduct(request))
        show_one(answer, show.verification(answer), json=json)
        progress.print(show.came_about(answer.info))

    asking(ask)


def stock(
    asin: Annotated[str, typer.Argument(help="The product.")],
    price: Annotated[
        float, typer.Option(min=0, help="In dollars; 0: the price that it would be sold at.")
    ] = 0,
    *,
    cache_only: options.CacheOnly = False,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Estimate how many units are for sale within 15 % of a price. Usually 6 tokens."""
    options.consistent(cache_only=cache_only, accept_stale=False, refresh=refresh)
    request = discovery.EstimateStockRequest(
        request_id=str(uuid4()),
        asin=asin,
        target_cents=round(price * 100),
        cache_only=cache_only,
        force_refresh=refresh,
    )

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.discovery.EstimateStock(request))
        show_one(answer, show.stock(answer), json=json)
        progress.print(show.came_about(answer.info))

    asking(ask)


async def _tell_price(
    stack: Stack, question: discovery.EstimateDiscoveryRequest, *, free: bool
) -> None:
    """Say what is about to be spent at most; what spends nothing needs no price."""
    if free:
        return
    answer = await patiently(lambda: stack.discovery.EstimateDiscovery(question))
    progress.print(show.price(answer))
