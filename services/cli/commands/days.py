"""What jobs found and spent: of a day, the best of it, and over time. None of it spends tokens."""

from typing import Annotated

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing

from services.cli import options, show
from services.cli.asking import asking, console, first_of, progress, show_all, show_one
from services.cli.patience import patiently
from services.cli.stack import Stack

Date = Annotated[str, typer.Option(help="YYYY-MM-DD; without it, today.")]
TimeZone = Annotated[str, typer.Option(help="Where the day begins, such as Europe/Paris.")]


def review(
    date: Date = "",
    time_zone: TimeZone = "UTC",
    kind: Annotated[
        str,
        typer.Option(
            "--class", help="Only reject, fluke, jackpot, revenant, stable or other; else all."
        ),
    ] = "",
    *,
    limit: options.Limit = 100,
    json: options.Json = False,
) -> None:
    """Review the picks of a day, each in the first class that fits. Spends nothing."""
    request = autosourcing.GetDailyReviewRequest(
        date=date,
        time_zone=time_zone,
        review_class=options.named(autosourcing.ReviewClass, "REVIEW_CLASS_", kind, "--class"),
    )

    async def ask(stack: Stack) -> None:
        counted = autosourcing.GetDailyReviewRequest(date=date, time_zone=time_zone, page_size=1)
        day = await patiently(lambda: stack.autosourcing.GetDailyReview(counted))
        found = await first_of(stack.autosourcing.GetDailyReview, request, "picks", limit)
        show_all(found, show.reviewed(found), json=json)
        progress.print(show.review_counts(day))

    asking(ask)


def opportunity(
    date: Date = "", time_zone: TimeZone = "UTC", *, json: options.Json = False
) -> None:
    """Show the one pick of a day that is worth most. Spends nothing."""
    request = autosourcing.GetOpportunityOfTheDayRequest(date=date, time_zone=time_zone)

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.autosourcing.GetOpportunityOfTheDay(request))
        if json:
            show_one(answer, "", json=True)
            return
        if answer.HasField("opportunity"):
            console.print(show.reviewed([answer.opportunity]))
        progress.print(answer.message)

    asking(ask)


def stats(
    since: options.Since = None, until: options.Until = None, *, json: options.Json = False
) -> None:
    """Show what jobs found and spent. Spends nothing."""
    request = autosourcing.GetJobStatsRequest(
        start_time=options.instant(since), end_time=options.instant(until)
    )

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.autosourcing.GetJobStats(request))
        show_one(answer, show.job_stats(answer), json=json)

    asking(ask)
