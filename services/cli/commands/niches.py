"""Niches: what there is to look for, and how good it is today."""

from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import options, show
from services.cli.asking import asking, console, progress, show_all
from services.cli.patience import patiently
from services.cli.stack import Stack

app = typer.Typer(help="Niches: what to look for, and how good it is today.")

Json = options.Json


@app.callback(invoke_without_command=True)
def listed(context: typer.Context, *, json: Json = False) -> None:
    """List the niches there are, unless one of the commands is given. Spends nothing."""
    if context.invoked_subcommand:
        return

    async def ask(stack: Stack) -> None:
        request = discovery.ListNicheTemplatesRequest(page_size=100)
        answer = await patiently(lambda: stack.discovery.ListNicheTemplates(request))
        show_all(answer.templates, show.niche_templates(answer.templates), json=json)

    asking(ask)


@app.command()
def examine(
    niche: Annotated[
        list[str] | None, typer.Argument(help="Ids, such as fitness; none: drawn at random.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=5, help="Niches drawn at random.")] = 1,
    products: Annotated[int, typer.Option(min=1, max=50, help="Products scored in each.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Draws the same niches again.")] = 0,
    *,
    json: Json = False,
) -> None:
    """Score real products of niches, best first. Each costs 11 tokens and 1 a product."""
    request = discovery.DiscoverNichesRequest(
        request_id=str(uuid4()),
        names=[each if "/" in each else f"niches/{each}" for each in niche or ()],
        count=0 if niche else count,
        scored_count=products,
        seed=seed,
    )

    async def ask(stack: Stack) -> None:
        async def collect() -> list[discovery.DiscoverNichesResponse]:
            return [part async for part in stack.discovery.DiscoverNiches(request)]

        *found, end = await patiently(collect)
        niches = [part.niche for part in found]
        show_all(niches, show.niches(niches), json=json)
        for each in niches if not json else ():
            if each.scores:
                console.print(f"\n{each.display_name}", style="bold")
                console.print(show.scores(each.scores))
        progress.print(show.search(end.info, sum(each.total_count for each in niches)))
        if end.seed:
            progress.print(f"The same draw again: --seed {end.seed}")

    asking(ask)
