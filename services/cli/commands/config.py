"""The scoring configuration: fees, thresholds, strategies, views. None of it spends tokens."""

from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import criteria, options, show
from services.cli.asking import asking, console, first_of, progress, show_all, show_one
from services.cli.configuration import proposal
from services.cli.gathering import gathers
from services.cli.patience import patiently
from services.cli.stack import Stack

app = typer.Typer(
    help="What scoring depends on: fees, thresholds, strategies, views.", no_args_is_help=True
)

Assignments = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH=VALUE...",
        help="Such as fees.prep_cents=150 or strategies.balanced.velocity_scores=80,60,40; "
        "`avault config show` lists the paths.",
        show_default=False,
    ),
]


@app.command("show")
def shown(*, json: options.Json = False) -> None:
    """Show the configuration that holds now, each value with its path."""

    async def ask(stack: Stack) -> None:
        config = await _held(stack)
        show_one(config, show.config(config), json=json)

    asking(ask)


@app.command("set")
def change(
    assignment: Assignments,
    note: Annotated[str, typer.Option(help="Why, in your own words.")] = "",
    *,
    json: options.Json = False,
) -> None:
    """Change values: a new revision, under which every score is made anew."""
    changed = proposal(assignment)

    async def ask(stack: Stack) -> None:
        before = await _held(stack)
        changed.etag = before.etag
        request = discovery.UpdateScoringConfigRequest(
            request_id=str(uuid4()), config=changed, note=note
        )
        answer = await patiently(lambda: stack.discovery.UpdateScoringConfig(request))
        show_one(answer.config, show.config_change(before, answer.config), json=json)

    asking(ask)


@app.command()
@gathers(scoring=criteria.scoring)
def preview(
    scoring: discovery.ScoringOptions,
    assignment: Assignments,
    asin: Annotated[
        list[str], typer.Option("--asin", help="A stored product; may be repeated, 100 at most.")
    ],
    buy: options.Buy = None,
    *,
    json: options.Json = False,
) -> None:
    """Score stored products with changed values beside those that hold; changes nothing."""
    request = discovery.PreviewScoringConfigRequest(
        config=proposal(assignment), asins=asin, options=scoring
    )
    request.options.buy_cents.update(criteria.own_costs(asin, buy))

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.discovery.PreviewScoringConfig(request))
        show_one(answer, show.previews(answer), json=json)
        if answer.missing_asins:
            progress.print(f"Not stored: {', '.join(answer.missing_asins)}.", style="yellow")

    asking(ask)


@app.command()
def revisions(*, limit: options.Limit = 20, json: options.Json = False) -> None:
    """List what was changed when, by whom and why, newest first."""

    async def ask(stack: Stack) -> None:
        request = discovery.ListScoringConfigRevisionsRequest()
        call = stack.discovery.ListScoringConfigRevisions
        found = await first_of(call, request, "revisions", limit)
        show_all(found, show.revisions(found), json=json)

    asking(ask)


@app.command()
def stats(*, json: options.Json = False) -> None:
    """Show what the stored scores look like under the configuration that holds."""

    async def ask(stack: Stack) -> None:
        request = discovery.GetScoringConfigStatsRequest()
        answer = await patiently(lambda: stack.discovery.GetScoringConfigStats(request))
        if json:
            show_one(answer, "", json=True)
            return
        console.print(show.config_stats(answer))

    asking(ask)


async def _held(stack: Stack) -> discovery.ScoringConfig:
    """Read the configuration that holds now."""
    request = discovery.GetScoringConfigRequest()
    return (await patiently(lambda: stack.discovery.GetScoringConfig(request))).config
