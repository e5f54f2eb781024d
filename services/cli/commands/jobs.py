"""AutoSourcing jobs and their picks."""

from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from google.protobuf.duration_pb2 import Duration
from rich.live import Live

from services.cli import criteria, options, show
from services.cli.asking import (
    EXIT_UNFINISHED,
    asking,
    console,
    first_of,
    progress,
    show_all,
    show_one,
)
from services.cli.bringing import identifiers_of
from services.cli.export import export_picks, format_of
from services.cli.gathering import gathers
from services.cli.patience import patiently, watch_job
from services.cli.stack import Stack

Name = Annotated[str, typer.Argument(help="jobs/<uuid>")]
Action = Annotated[
    str, typer.Option(help="Only pending, to_buy, favorite, ignored or analyzing; without it, all.")
]


@gathers(searched=criteria.product_filter, spec=criteria.job_spec, brought=criteria.brought)
def estimate(
    searched: discovery.DiscoveryFilter,
    spec: autosourcing.JobSpec,
    brought: autosourcing.ImportIdentifiersRequest | None,
    *,
    json: options.Json = False,
) -> None:
    """Say what a job would cost, and whether it may start. Spends nothing."""
    _search(spec, searched)

    async def ask(stack: Stack) -> None:
        if brought is not None:
            spec.identifiers.extend(await identifiers_of(stack, brought))
        request = autosourcing.EstimateJobRequest(spec=spec)
        answer = await patiently(lambda: stack.autosourcing.EstimateJob(request))
        show_one(answer, show.estimate(answer), json=json)

    asking(ask)


@gathers(searched=criteria.product_filter, spec=criteria.job_spec, brought=criteria.brought)
def run(
    searched: discovery.DiscoveryFilter,
    spec: autosourcing.JobSpec,
    brought: autosourcing.ImportIdentifiersRequest | None,
    wait: Annotated[int, typer.Option(min=0, max=3600, help="Seconds to queue for tokens.")] = 0,
    *,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start it and do not wait for its end.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Run an AutoSourcing job and follow it to its end. Ends with 4 when it did not complete."""
    _search(spec, searched)

    async def ask(stack: Stack) -> None:
        if brought is not None:
            spec.identifiers.extend(await identifiers_of(stack, brought))
        request = autosourcing.CreateJobRequest(
            request_id=str(uuid4()), spec=spec, max_wait_duration=Duration(seconds=wait)
        )
        started = (await patiently(lambda: stack.autosourcing.CreateJob(request))).job
        if detach:
            show_one(started, started.name, json=json)
            return
        progress.print(f"{started.name}", style="dim")
        ended = await _follow(stack, started)
        await show_picks(stack, started.name, json=json)
        _answer_for(ended)

    asking(ask)


def jobs(
    state: Annotated[
        str,
        typer.Option(
            help="Only pending, running, completed, failed, timed_out, cancelled or budget_stopped."
        ),
    ] = "",
    *,
    limit: options.Limit = 20,
    json: options.Json = False,
) -> None:
    """List jobs, newest first."""
    request = autosourcing.ListJobsRequest(
        state=options.named(autosourcing.JobState, "JOB_STATE_", state, "--state")
    )

    async def ask(stack: Stack) -> None:
        found = await first_of(stack.autosourcing.ListJobs, request, "jobs", limit)
        show_all(found, show.jobs(found), json=json)

    asking(ask)


def job(
    name: Name,
    *,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Follow it to its end first, and end with 4 when it did not complete."
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Show one job with every product it analysed and why."""
    request = autosourcing.GetJobRequest(name=options.full("jobs", name))

    async def ask(stack: Stack) -> None:
        found = (await patiently(lambda: stack.autosourcing.GetJob(request))).job
        if watch and not found.HasField("end_time"):
            await _follow(stack, found)
            found = (await patiently(lambda: stack.autosourcing.GetJob(request))).job
        await _show_job(stack, found, json=json)
        if watch:
            _answer_for(found)

    asking(ask)


def cancel(name: Name) -> None:
    """End a running job; its picks stay."""
    request = autosourcing.CancelJobRequest(
        request_id=str(uuid4()), name=options.full("jobs", name)
    )

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.autosourcing.CancelJob(request))
        console.print(show.job_line(answer.job))

    asking(ask)


def picks(
    job_name: options.JobName = "",
    action: Action = "",
    *,
    limit: options.Limit = 1000,
    json: options.Json = False,
) -> None:
    """List picks, best first."""
    chosen = options.action_named(action)
    asking(lambda stack: show_picks(stack, job_name, chosen, limit=limit, json=json))


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
        request_id=str(uuid4()),
        name=options.full("picks", name),
        action=options.action_named(action),
        notes=notes,
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
    job_name: options.JobName = "",
    action: Action = "",
) -> None:
    """Write picks to a file."""
    wanted = autosourcing.ExportFormat.Value(format_of(path))
    chosen, job = options.action_named(action), _job(job_name)

    async def ask(stack: Stack) -> None:
        written = await export_picks(stack, job, wanted, path, action=chosen)
        console.print(f"Written to {written}.")

    asking(ask)


async def show_picks(
    stack: Stack,
    job_name: str,
    action: autosourcing.PickAction.ValueType = autosourcing.PICK_ACTION_UNSPECIFIED,
    *,
    limit: int = 1000,
    json: bool,
) -> None:
    """Ask for the picks of a job, of all jobs when it is empty, and show them."""
    request = autosourcing.ListPicksRequest(job=_job(job_name), action=action)
    found = await first_of(stack.autosourcing.ListPicks, request, "picks", limit)
    show_all(found, show.picks(found), json=json)


async def _show_job(stack: Stack, job: autosourcing.Job, *, json: bool) -> None:
    if json:
        show_one(job, "", json=True)
        return
    console.print(show.job_line(job))
    await show_picks(stack, job.name, json=False)
    if rest := show.passed_over(job.products):
        console.print(rest)


async def _follow(stack: Stack, started: autosourcing.Job) -> autosourcing.Job:
    """Show the progress of a job to its end, and return what it ended as."""
    job = started
    with Live(show.job_line(job), console=progress, transient=True) as live:
        async for change in watch_job(stack, job.name):
            job = change.job
            live.update(show.job_line(job))
    progress.print(show.job_line(job))
    return job


def _answer_for(ended: autosourcing.Job) -> None:
    """Let a script see that a job stopped early, whatever it found until then."""
    if ended.state != autosourcing.JOB_STATE_COMPLETED:
        raise typer.Exit(EXIT_UNFINISHED)


def _search(spec: autosourcing.JobSpec, searched: discovery.DiscoveryFilter) -> None:
    """Put the filter into a job, unless it is empty: then the profile's holds, or none."""
    if searched.ByteSize():
        spec.filter.CopyFrom(searched)


def _job(name: str) -> str:
    return options.full("jobs", name) if name else ""
