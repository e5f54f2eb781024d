"""Stored scores: the best ones, how one came about, and why it changed. None of it spends tokens."""

from typing import Annotated

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import options, show
from services.cli.asking import asking, console, first_of, progress, show_all, show_one
from services.cli.patience import patiently
from services.cli.stack import Stack

PREVIOUS = "scores/-"
"""The newest older score of the same product."""

Name = Annotated[str, typer.Argument(help="scores/<uuid>")]


def scores(
    at_least: options.AtLeast = "", *, limit: options.Limit = 20, json: options.Json = False
) -> None:
    """List stored scores, best first. Spends nothing."""
    request = discovery.ListScoresRequest(minimum_recommendation=options.advice_named(at_least))
    _list(request, limit, json=json)


def history(
    asin: Annotated[str, typer.Argument(help="The product.")],
    *,
    limit: options.Limit = 20,
    json: options.Json = False,
) -> None:
    """List how one product was scored over time, newest first. Spends nothing."""
    request = discovery.ListScoresRequest(asin=asin, include_former=True)
    _list(request, limit, json=json)


def explain(name: Name, *, json: options.Json = False) -> None:
    """Show how a score came about, line by line. Spends nothing."""

    async def ask(stack: Stack) -> None:
        request = discovery.ExplainScoreRequest(name=options.full("scores", name))
        answer = await patiently(lambda: stack.discovery.ExplainScore(request))
        if not json:
            console.print(show.scores([answer.score]))
        show_one(answer, show.explanation(answer), json=json)

    asking(ask)


def compare(
    name: Name,
    other: Annotated[
        str, typer.Argument(help="scores/<uuid>; without it, the one before of the same product.")
    ] = PREVIOUS,
    *,
    json: options.Json = False,
) -> None:
    """Show why a score is not what another one was, line by line. Spends nothing."""

    async def ask(stack: Stack) -> None:
        request = discovery.ExplainScoreRequest(
            name=options.full("scores", name), compare_to=options.full("scores", other)
        )
        answer = await patiently(lambda: stack.discovery.ExplainScore(request))
        if json:
            show_one(answer, "", json=True)
        elif not answer.HasField("other"):
            progress.print("This product has no older score.")
        else:
            console.print(show.named_scores([answer.other, answer.score]))
            console.print(show.differences(answer) if answer.differences else "Nothing differs.")

    asking(ask)


def _list(request: discovery.ListScoresRequest, limit: int, *, json: bool) -> None:
    async def ask(stack: Stack) -> None:
        found = await first_of(stack.discovery.ListScores, request, "scores", limit)
        show_all(found, show.named_scores(found), json=json)

    asking(ask)
