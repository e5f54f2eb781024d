"""Former searches and what they found. None of it spends tokens."""

from pathlib import Path
from typing import Annotated

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import options, show
from services.cli.asking import asking, console, first_of, show_all
from services.cli.export import format_of, write_whole
from services.cli.stack import Stack

app = typer.Typer(help="Former searches and what they found.", no_args_is_help=True)


@app.command("list")
def listed(
    kind: Annotated[
        str, typer.Option(help="Only discovery, scoring or autosourcing; without it, all.")
    ] = "",
    job_name: options.JobName = "",
    *,
    limit: options.Limit = 20,
    json: options.Json = False,
) -> None:
    """List former searches with their cost, newest first."""
    request = discovery.ListSearchesRequest(
        kind=options.named(discovery.SearchKind, "SEARCH_KIND_", kind, "--kind"),
        job=options.full("jobs", job_name) if job_name else "",
    )

    async def ask(stack: Stack) -> None:
        found = await first_of(stack.discovery.ListSearches, request, "searches", limit)
        show_all(found, show.searches(found), json=json)

    asking(ask)


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="searches/<uuid>")],
    path: Annotated[
        Path, typer.Argument(help="The file; its ending says the format: .csv, .jsonl or .xlsx.")
    ],
) -> None:
    """Write what a search found to a file."""
    request = discovery.ExportSearchRequest(
        name=options.full("searches", name), format=discovery.ExportFormat.Value(format_of(path))
    )

    async def ask(stack: Stack) -> None:
        written = await write_whole(lambda: stack.discovery.ExportSearch(request), path)
        console.print(f"Written to {written}.")

    asking(ask)
