"""Keepa itself: whether calls may leave, and what it answers beside products to score."""

from typing import Annotated

import typer
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.cli import options, show
from services.cli.asking import asking, progress, show_one
from services.cli.commands import keepa_market, keepa_products
from services.cli.patience import patiently
from services.cli.stack import Stack

app = typer.Typer(
    help="Keepa itself: whether calls may leave, categories, deals, sellers.", no_args_is_help=True
)


@app.command()
def status(*, json: options.Json = False) -> None:
    """Show tokens, throttle, breaker and stored products. Asks Keepa nothing."""

    async def ask(stack: Stack) -> None:
        request = keepa.GetTokenStatusRequest()
        answer = await patiently(lambda: stack.keepa_gateway.GetTokenStatus(request))
        show_one(answer, show.token_status(answer), json=json)

    asking(ask)


@app.command()
def check(
    *,
    retry_rejected_key: Annotated[
        bool, typer.Option("--retry-rejected-key", help="The key was replaced: try it again.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Ask Keepa for the balance, which is free, and so whether key and way are good."""
    request = keepa.CheckConnectionRequest(retry_rejected_key=retry_rejected_key)

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.keepa_gateway.CheckConnection(request))
        show_one(answer, show.account(answer.account), json=json)
        progress.print(f"Keepa answered in {answer.latency_duration.ToMilliseconds()} ms.")

    asking(ask)


for command in (
    keepa_products.products,
    keepa_products.find,
    keepa_products.search,
    keepa_products.best_sellers,
    keepa_products.deals,
    keepa_products.lightning_deals,
    keepa_market.categories,
    keepa_market.find_categories,
    keepa_market.sellers,
    keepa_market.top_sellers,
    keepa_market.find_sellers,
):
    app.command()(command)
