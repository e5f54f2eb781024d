"""The caches of searches and scores. None of it spends tokens."""

from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import options, show
from services.cli.asking import asking, console, show_all, show_one
from services.cli.patience import patiently
from services.cli.stack import Stack

app = typer.Typer(help="The caches of searches and scores.", no_args_is_help=True)

CACHES = ("discovery", "scoring")


@app.command()
def health(*, json: options.Json = False) -> None:
    """Show how well the caches serve."""

    async def ask(stack: Stack) -> None:
        request = discovery.GetCacheHealthRequest()
        answer = await patiently(lambda: stack.discovery.GetCacheHealth(request))
        show_all(answer.caches, show.caches(answer.caches), json=json)

    asking(ask)


@app.command()
def purge(
    cache: Annotated[str, typer.Option(help="discovery or scoring; without it, both.")] = "",
    *,
    include_fresh: Annotated[
        bool,
        typer.Option(
            "--include-fresh", help="Fresh entries too: the next searches pay for them again."
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Delete entries that have expired; the history of searches stays."""
    if cache not in {"", *CACHES}:
        raise typer.BadParameter(f"must be one of {', '.join(CACHES)}", param_hint="--cache")
    request = discovery.PurgeCacheRequest(
        request_id=str(uuid4()), cache=cache, include_fresh=include_fresh
    )

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.discovery.PurgeCache(request))
        if json:
            show_one(answer, "", json=True)
            return
        console.print(f"{answer.purged_count} entries deleted, {answer.purged_bytes:,} bytes.")

    asking(ask)
