"""Favourites: products to keep in sight. None of it spends tokens."""

from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import options, show
from services.cli.asking import asking, console, first_of, show_all, show_one
from services.cli.patience import patiently
from services.cli.stack import Stack

app = typer.Typer(help="Products to keep in sight.", no_args_is_help=True)

Asin = Annotated[str, typer.Argument(help="The product.")]


@app.command("list")
def listed(*, limit: options.Limit = 100, json: options.Json = False) -> None:
    """List favourites with their newest score, newest first."""

    async def ask(stack: Stack) -> None:
        request = discovery.ListFavoritesRequest()
        found = await first_of(stack.discovery.ListFavorites, request, "favorites", limit)
        show_all(found, show.favorites(found), json=json)

    asking(ask)


@app.command()
def add(
    asin: Asin,
    notes: Annotated[str, typer.Option(help="Your own words; they replace those there are.")] = "",
    *,
    json: options.Json = False,
) -> None:
    """Mark a product, or change its notes."""
    request = discovery.SaveFavoriteRequest(request_id=str(uuid4()), asin=asin, notes=notes)

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.discovery.SaveFavorite(request))
        show_one(answer.favorite, show.favorites([answer.favorite]), json=json)

    asking(ask)


@app.command()
def remove(asin: Asin) -> None:
    """Take a product off the favourites."""
    request = discovery.DeleteFavoriteRequest(request_id=str(uuid4()), asin=asin)

    async def ask(stack: Stack) -> None:
        await patiently(lambda: stack.discovery.DeleteFavorite(request))
        console.print(f"{asin} is no favourite any more.")

    asking(ask)
