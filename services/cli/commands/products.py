"""Searching and scoring products."""

from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import options, show
from services.cli.asking import asking, progress, show_all
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
    *,
    json: options.Json = False,
) -> None:
    """Find products and score them, best first."""
    searched = options.product_filter(category, (rank_min, rank_max), (price_min, price_max))
    searched.max_results = max_results

    async def ask(stack: Stack) -> None:
        request = discovery.DiscoverScoredProductsRequest(
            request_id=str(uuid4()),
            filter=searched,
            options=discovery.ScoringOptions(strategy=options.strategy_named(strategy)),
        )
        answer = await patiently(lambda: stack.discovery.DiscoverScoredProducts(request))
        show_all(answer.scores, show.scores(answer.scores), json=json)
        progress.print(show.search(answer.info, answer.total_count))

    asking(ask)


def score(
    asin: Annotated[list[str], typer.Argument(help="ASINs to score.")],
    strategy: options.Strategy = "",
    *,
    json: options.Json = False,
) -> None:
    """Score given products."""

    async def ask(stack: Stack) -> None:
        request = discovery.ScoreProductsRequest(
            request_id=str(uuid4()),
            asins=asin,
            options=discovery.ScoringOptions(strategy=options.strategy_named(strategy)),
        )

        async def collect() -> list[discovery.ProductScore]:
            parts = stack.discovery.ScoreProducts(request)
            return [part.score async for part in parts if part.HasField("score")]

        found = await patiently(collect)
        show_all(found, show.scores(found), json=json)

    asking(ask)
