"""Jobs that start by themselves at hours of the day."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from google.protobuf.field_mask_pb2 import FieldMask

from services.cli import options, show
from services.cli.asking import asking, console, first_of, show_all, show_one
from services.cli.patience import patiently
from services.cli.stack import Stack

app = typer.Typer(help="Jobs that start by themselves at hours of the day.", no_args_is_help=True)

FIELDS = ("display_name", "hours", "time_zone", "skip_dates")
Name = Annotated[str, typer.Argument(help="schedules/<uuid>")]
Called = Annotated[str, typer.Option(help="Its name for people.")]
Hours = Annotated[list[int], typer.Option(min=0, max=23, help="Of the day; may be repeated.")]
TimeZone = Annotated[str, typer.Option(help="Such as Europe/Paris.")]
Skip = Annotated[
    list[str] | None, typer.Option(help="A date without a job, YYYY-MM-DD; may be repeated.")
]


@app.command("list")
def listed(*, limit: options.Limit = 100, json: options.Json = False) -> None:
    """List schedules, newest first."""

    async def ask(stack: Stack) -> None:
        request = autosourcing.ListSchedulesRequest()
        found = await first_of(stack.autosourcing.ListSchedules, request, "schedules", limit)
        show_all(found, show.schedules(found), json=json)

    asking(ask)


@app.command("show")
def shown(name: Name, *, json: options.Json = False) -> None:
    """Show one schedule, and what became of its newest hours."""

    async def ask(stack: Stack) -> None:
        request = autosourcing.GetScheduleRequest(name=options.full("schedules", name))
        answer = await patiently(lambda: stack.autosourcing.GetSchedule(request))
        if json:
            show_one(answer.schedule, "", json=True)
            return
        console.print(show.schedules([answer.schedule]))
        console.print(show.slots(answer.schedule.recent_slots))

    asking(ask)


@app.command()
def add(
    profile: Annotated[str, typer.Option(help="Id of the saved profile its jobs use.")],
    hour: Hours,
    time_zone: TimeZone = "UTC",
    called: Called = "",
    skip: Skip = None,
    *,
    json: options.Json = False,
) -> None:
    """Start a job of a profile at these hours of each day from now on."""
    request = autosourcing.CreateScheduleRequest(
        request_id=str(uuid4()),
        schedule=autosourcing.Schedule(
            display_name=called or profile,
            spec=autosourcing.JobSpec(profile=options.full("profiles", profile)),
            hours=hour,
            time_zone=time_zone,
            skip_dates=skip or [],
        ),
    )

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.autosourcing.CreateSchedule(request))
        show_one(answer.schedule, show.schedules([answer.schedule]), json=json)

    asking(ask)


@app.command()
def change(
    name: Name,
    *,
    profile: Annotated[str, typer.Option(help="Id of the profile its jobs use from now on.")] = "",
    hour: Annotated[
        list[int] | None,
        typer.Option(min=0, max=23, help="Of the day, instead of those there are; repeatable."),
    ] = None,
    time_zone: TimeZone = "",
    called: Called = "",
    skip: Skip = None,
    clear: options.Clear = None,
) -> None:
    """Change what is given of a schedule; the rest stays."""
    schedule = autosourcing.Schedule(
        name=options.full("schedules", name),
        display_name=called,
        hours=hour or [],
        time_zone=time_zone,
        skip_dates=skip or [],
    )
    if profile:
        schedule.spec.profile = options.full("profiles", profile)
    _change(schedule, *options.changed(schedule, clear, (*FIELDS, "spec")))


@app.command()
def pause(
    name: Name,
    until: Annotated[
        datetime | None, typer.Option(help="In UTC; without it, until it is resumed.")
    ] = None,
) -> None:
    """Start nothing for a while."""
    schedule = autosourcing.Schedule(name=options.full("schedules", name), paused=until is None)
    if until is not None:
        schedule.pause_end_time.FromDatetime(until.replace(tzinfo=UTC))
    _change(schedule, "paused", "pause_end_time")


@app.command()
def resume(name: Name) -> None:
    """Start jobs again."""
    _change(autosourcing.Schedule(name=options.full("schedules", name)), "paused", "pause_end_time")


@app.command()
def delete(name: Name) -> None:
    """Delete a schedule; the jobs that it started stay."""
    request = autosourcing.DeleteScheduleRequest(
        request_id=str(uuid4()), name=options.full("schedules", name)
    )

    async def ask(stack: Stack) -> None:
        await patiently(lambda: stack.autosourcing.DeleteSchedule(request))
        console.print(f"{request.name} is gone.")

    asking(ask)


def _change(schedule: autosourcing.Schedule, *names: str) -> None:
    request = autosourcing.UpdateScheduleRequest(
        request_id=str(uuid4()), schedule=schedule, update_mask=FieldMask(paths=names)
    )

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.autosourcing.UpdateSchedule(request))
        console.print(show.schedules([answer.schedule]))

    asking(ask)
