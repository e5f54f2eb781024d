"""Finding, scoring and checking products."""

from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import criteria, options, show
from services.cli.asking import asking, progress, show_all, show_one
from services.cli.bringing import identifiers_of
from services.cli.criteria import Age
from services.cli.gathering import gathers
from services.cli.patience import patiently
from services.cli.stack import Stack

Asin = Annotated[str, typer.Argument(help="The product.")]


@gathers(searched=criteria.product_filter, age=criteria.any_age)
def discover(  # noqa: PLR0917 - one option each
    searched: discovery.DiscoveryFilter,
    age: Age,
    max_results: options.Results = 10,
    strategy: options.Strategy = "",
    offers: options.Offers = 0,
    at_least: options.AtLeast = "",
    *,
    unscored: Annotated[
        bool, typer.Option("--unscored", help="Only the ASINs: no product is paid for.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Find products and score them, best first."""
    if unscored and (offers or strategy or at_least):
        raise typer.BadParameter(
            "does not go with --offers, --strategy and --at-least", param_hint="--unscored"
        )
    searched.max_results = max_results
    question = discovery.EstimateDiscoveryRequest(
        filter=searched,
        scored_count=0 if unscored else max_results,
        force_refresh=age.refresh,
        offer_check_count=offers,
    )
    listed = discovery.DiscoverProductsRequest(
        request_id=str(uuid4()),
        filter=searched,
        cache_only=age.cache_only,
        accept_stale=age.accept_stale,
        force_refresh=age.refresh,
    )
    scored = discovery.DiscoverScoredProductsRequest(
        request_id=str(uuid4()),
        filter=searched,
        options=discovery.ScoringOptions(strategy=options.strategy_named(strategy)),
        minimum_recommendation=options.advice_named(at_least),
        offer_check_count=offers,
        cache_only=age.cache_only,
        accept_stale=age.accept_stale,
        force_refresh=age.refresh,
    )

    async def ask(stack: Stack) -> None:
        await tell_price(stack, question, free=age.cache_only)
        if unscored:
            found = await patiently(lambda: stack.discovery.DiscoverProducts(listed))
            show_one(found, "\n".join(found.asins), json=json)
            progress.print(show.search(found.info, found.total_count, found.blocked_asins))
            return
        answer = await patiently(lambda: stack.discovery.DiscoverScoredProducts(scored))
        show_all(answer.scores, show.scores(answer.scores), json=json)
        progress.print(show.search(answer.info, answer.total_count, answer.blocked_asins))

    asking(ask)


@gathers(scoring=criteria.scoring, age=criteria.any_age, brought=criteria.brought)
def score(  # noqa: PLR0917 - one option each
    scoring: discovery.ScoringOptions,
    age: Age,
    brought: autosourcing.ImportIdentifiersRequest | None,
    asin: Annotated[list[str] | None, typer.Argument(help="ASINs to score.")] = None,
    buy: options.Buy = None,
    offers: options.Offers = 0,
    *,
    json: options.Json = False,
) -> None:
    """Score given products, at your own buying prices with --buy or --file."""
    if not asin and brought is None:
        raise typer.BadParameter("name products, or a --file of them", param_hint="ASIN")
    request = discovery.ScoreProductsRequest(
        request_id=str(uuid4()),
        asins=asin or [],
        options=scoring,
        offer_check_count=offers,
        cache_only=age.cache_only,
        accept_stale=age.accept_stale,
        force_refresh=age.refresh,
    )
    request.options.buy_cents.update(criteria.own_costs(asin or [], buy))

    async def collect(stack: Stack) -> list[discovery.ScoreProductsResponse]:
        return [part async for part in stack.discovery.ScoreProducts(request)]

    async def ask(stack: Stack) -> None:
        for each in await identifiers_of(stack, brought) if brought is not None else ():
            if each.value not in request.asins:
                request.asins.append(each.value)
                if each.buy_cents:
                    request.options.buy_cents[each.value] = each.buy_cents
        question = discovery.EstimateDiscoveryRequest(
            asins=discovery.AsinList(asins=request.asins),
            force_refresh=age.refresh,
            offer_check_count=offers,
        )
        await tell_price(stack, question, free=age.cache_only)
        *parts, end = await patiently(lambda: collect(stack))
        # A product that was looked at again comes a second time, which replaces the first.
        found = {part.score.asin: part.score for part in parts}
        show_all(found.values(), show.scores([*found.values()]), json=json)
        progress.print(show.came_about(end.info))

    asking(ask)


@gathers(age=criteria.age)
def metrics(
    age: Age,
    asin: Asin,
    condition: options.Condition = "",
    *,
    series: Annotated[
        bool, typer.Option("--series", help="The histories too; only with --json.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Show what is known of a product: prices, rank, sales, competition. 1 token or none."""
    request = discovery.GetProductMetricsRequest(
        request_id=str(uuid4()),
        asin=asin,
        condition=options.condition_named(condition),
        include_series=series,
        cache_only=age.cache_only,
        force_refresh=age.refresh,
    )

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.discovery.GetProductMetrics(request))
        show_one(answer, show.metrics(answer.metrics), json=json)
        progress.print(show.came_about(answer.info))

    asking(ask)


def verify(
    asin: Annotated[str, typer.Argument(help="The product that you are about to buy.")],
    than: Annotated[
        str, typer.Option(help="scores/<uuid> that you decided on; without it, the newest one.")
    ] = "",
    sell: Annotated[
        float, typer.Option(min=0, help="Or the selling price that you decided on, in dollars.")
    ] = 0,
    rank: Annotated[int, typer.Option(min=0, help="With --sell: the sales rank.")] = 0,
    fba_offers: Annotated[
        int | None, typer.Option(min=0, help="With --sell: new offers shipped by Amazon.")
    ] = None,
    *,
    json: options.Json = False,
) -> None:
    """Fetch a product afresh and say whether it is still worth buying. Usually 6 tokens."""
    if than and sell:
        raise typer.BadParameter("does not go with --than", param_hint="--sell")
    if (rank or fba_offers is not None) and not sell:
        raise typer.BadParameter("is needed with --rank and --fba-offers", param_hint="--sell")
    request = discovery.VerifyProductRequest(request_id=str(uuid4()), asin=asin)
    if than:
        request.score = options.full("scores", than)
    if sell:
        seen = discovery.VerificationBaseline(
            sell_cents=round(sell * 100), sales_rank=rank, fba_offer_count=fba_offers
        )
        request.baseline.CopyFrom(seen)

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.discovery.VerifyProduct(request))
        show_one(answer, show.verification(answer), json=json)
        progress.print(show.came_about(answer.info))

    asking(ask)


@gathers(age=criteria.age)
def stock(
    age: Age,
    asin: Asin,
    price: Annotated[
        float, typer.Option(min=0, help="In dollars; 0: the price that it would be sold at.")
    ] = 0,
    condition: options.Condition = "",
    *,
    json: options.Json = False,
) -> None:
    """Estimate how many units are for sale within 15 % of a price. Usually 6 tokens."""
    request = discovery.EstimateStockRequest(
        request_id=str(uuid4()),
        asin=asin,
        target_cents=round(price * 100),
        condition=options.condition_named(condition),
        cache_only=age.cache_only,
        force_refresh=age.refresh,
    )

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.discovery.EstimateStock(request))
        show_one(answer, show.stock(answer), json=json)
        progress.print(show.came_about(answer.info))

    asking(ask)


async def tell_price(
    stack: Stack, question: discovery.EstimateDiscoveryRequest, *, free: bool
) -> None:
    """Say what is about to be spent at most; what spends nothing needs no price."""
    if free:
        return
    answer = await patiently(lambda: stack.discovery.EstimateDiscovery(question))
    progress.print(show.price(answer))
