"""AutoSourcing jobs and their picks."""

from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from google.protobuf.duration_pb2 import Duration
from rich.live import Live

from services.cli import options, show
from services.cli.asking import asking, console, progress, show_all, show_one
from services.cli.bringing import identifiers_of
from services.cli.export import export_picks
from services.cli.patience import patiently, watch_job
from services.cli.stack import Stack

FORMATS = {
    ".csv": autosourcing.EXPORT_FORMAT_CSV,
    ".jsonl": autosourcing.EXPORT_FORMAT_JSON_LINES,
    ".xlsx": autosourcing.EXPORT_FORMAT_XLSX,
}


def estimate(  # noqa: PLR0917 - one option each
    category: options.Categories = None,
    rank_min: options.RankMin = 0,
    rank_max: options.RankMax = 0,
    price_min: options.PriceMin = 0,
    price_max: options.PriceMax = 0,
    max_products: options.Products = 0,
    strategy: options.Strategy = "",
    profile: options.Profile = "",
    asin: options.Asins = None,
    file: options.File = None,
    *,
    json: options.Json = False,
) -> None:
    """Say what a job would cost, and whether it may start. Spends nothing."""
    spec = options.spec(
        category,
        (rank_min, rank_max),
        (price_min, price_max),
        max_products,
        strategy,
        profile,
        asin,
    )
    brought = file.read_bytes() if file else None

    async def ask(stack: Stack) -> None:
        if brought is not None:
            spec.identifiers.extend(await identifiers_of(stack, brought))
        request = autosourcing.EstimateJobRequest(spec=spec)
        answer = await patiently(lambda: stack.autosourcing.EstimateJob(request))
        show_one(answer, show.estimate(answer), json=json)

    asking(ask)


def run(  # noqa: PLR0917 - one option each
    category: options.Categories = None,
    rank_min: options.RankMin = 0,
    rank_max: options.RankMax = 0,
    price_min: options.PriceMin = 0,
    price_max: options.PriceMax = 0,
    max_products: options.Products = 0,
    strategy: options.Strategy = "",
    profile: options.Profile = "",
    asin: options.Asins = None,
    file: options.File = None,
    wait: Annotated[int, typer.Option(min=0, max=3600, help="Seconds to queue for tokens.")] = 0,
    *,
    again: Annotated[
        bool, typer.Option(help="Analyse what was analysed in the last 7 days.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Run an AutoSourcing job and follow it to its end."""
    spec = options.spec(
        category,
        (rank_min, rank_max),
        (price_min, price_max),
        max_products,
        strategy,
        profile,
        asin,
    )
    spec.include_recently_seen = again
    brought = file.read_bytes() if file else None

    async def ask(stack: Stack) -> None:
        if brought is not None:
            spec.identifiers.extend(await identifiers_of(stack, brought))
        request = autosourcing.CreateJobRequest(
            request_id=str(uuid4()), spec=spec, max_wait_duration=Duration(seconds=wait)
        )
        job = (await patiently(lambda: stack.autosourcing.CreateJob(request))).job
        progress.print(f"{job.name}", style="dim")
        with Live(show.job_line(job), console=progress, transient=True) as live:
            async for change in watch_job(stack, job.name):
                job = change.job
                live.update(show.job_line(job))
        progress.print(show.job_line(job))
        await show_picks(stack, job.name, json=json)

    asking(ask)


def jobs(
    *, limit: Annotated[int, typer.Option(min=1, max=1000)] = 20, json: options.Json = False
) -> None:
    """List jobs, newest first."""

    async def ask(stack: Stack) -> None:
        request = autosourcing.ListJobsRequest(page_size=limit)
        answer = await patiently(lambda: stack.autosourcing.ListJobs(request))
        show_all(answer.jobs, show.jobs(answer.jobs), json=json)

    asking(ask)


def job(
    name: Annotated[str, typer.Argument(help="jobs/<uuid>")], *, json: options.Json = False
) -> None:
    """Show one job with every product it analysed and why."""

    async def ask(stack: Stack) -> None:
        request = autosourcing.GetJobRequest(name=name)
        answer = await patiently(lambda: stack.autosourcing.GetJob(request))
        if json:
            show_one(answer.job, "", json=True)
            return
        console.print(show.job_line(answer.job))
        await show_picks(stack, name, json=False)
        if rest := show.passed_over(answer.job.products):
            console.print(rest)

    asking(ask)


def cancel(name: Annotated[str, typer.Argument(help="jobs/<uuid>")]) -> None:
    """End a running job; its picks stay."""

    async def ask(stack: Stack) -> None:
        request = autosourcing.CancelJobRequest(request_id=str(uuid4()), name=name)
        answer = await patiently(lambda: stack.autosourcing.CancelJob(request))
        console.print(show.job_line(answer.job))

    asking(ask)


def picks(*, job_name: options.JobName = "", json: options.Json = False) -> None:
    """List picks, best first."""
    asking(lambda stack: show_picks(stack, job_name, json=json))


def decide(
    name: Annotated[str, typer.Argument(help="picks/<uuid>")],
    action: Annotated[
        str, typer.Option(help="pending, to_buy, favorite, ignored or analyzing.")
    ] = "",
    notes: Annotated[
        str | None, typer.Option(help="Your own words; an empty text deletes them.")
    ] = None,
    *,
    json: options.Json = False,
) -> None:
    """Keep what you decided about a pick."""
    request = autosourcing.UpdatePickRequest(
        request_id=str(uuid4()), name=name, action=options.action_named(action), notes=notes
    )
    if not request.action and notes is None:
        raise typer.BadParameter("give --action, --notes or both", param_hint="--action")

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.autosourcing.UpdatePick(request))
        show_one(answer.pick, show.picks([answer.pick]), json=json)

    asking(ask)


def export(
    path: Annotated[
        Path, typer.Argument(help="The file; its ending says the format: .csv, .jsonl or .xlsx.")
    ],
    *,
    job_name: options.JobName = "",
) -> None:
    """Write picks to a file."""
    if path.suffix not in FORMATS:
        allowed = ", ".join(FORMATS)
        raise typer.BadParameter(f"the file must end in one of {allowed}", param_hint="PATH")

    async def ask(stack: Stack) -> None:
        written = await export_picks(stack, job_name, FORMATS[path.suffix], path)
        console.print(f"Written to {written}.")

    asking(ask)


async def show_picks(stack: Stack, job_name: str, *, json: bool) -> None:
    """Ask for the picks of a job, of all jobs when it is empty, and show them."""
    request = autosourcing.ListPicksRequest(job=job_name, page_size=1000)
    answer = await patiently(lambda: stack.autosourcing.ListPicks(request))
    show_all(answer.picks, show.picks(answer.picks), json=json)
