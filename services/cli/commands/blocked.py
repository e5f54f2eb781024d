"""The do-not-buy list. None of it spends tokens."""

from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import options, show
from services.cli.asking import asking, console, first_of, show_all, show_one
from services.cli.patience import patiently
from services.cli.stack import Stack

app = typer.Typer(help="Products that must not be bought.", no_args_is_help=True)

Asin = Annotated[str, typer.Argument(help="The product.")]


@app.command("list")
def listed(*, limit: options.Limit = 1000, json: options.Json = False) -> None:
    """List what must not be bought, newest first."""

    async def ask(stack: Stack) -> None:
        request = discovery.ListBlockedProductsRequest()
        call = stack.discovery.ListBlockedProducts
        found = await first_of(call, request, "blocked_products", limit)
        show_all(found, show.blocked(found), json=json)

    asking(ask)


@app.command()
def add(
    asin: Asin,
    reason: Annotated[str, typer.Option(help="Why, in your own words.")] = "",
    *,
    json: options.Json = False,
) -> None:
    """Score a product as SKIP from now on, or give another reason."""
    request = discovery.BlockProductRequest(request_id=str(uuid4()), asin=asin, reason=reason)

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.discovery.BlockProduct(request))
        shown = answer.blocked_product
        show_one(shown, show.blocked([shown]), json=json)

    asking(ask)


@app.command()
def remove(asin: Asin) -> None:
    """Let a product be bought again."""
    request = discovery.UnblockProductRequest(request_id=str(uuid4()), asin=asin)

    async def ask(stack: Stack) -> None:
        await patiently(lambda: stack.discovery.UnblockProduct(request))
        console.print(f"{asin} may be bought again.")

    asking(ask)
