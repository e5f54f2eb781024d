"""Whether everything answers."""

import asyncio

import typer

from services.cli import show
from services.cli.asking import EXIT_UNREACHABLE, console
from services.cli.doctor import examine
from services.cli.stack import Targets


def doctor() -> None:
    """Check that every service answers, and say what to do where one does not."""

    async def ask() -> bool:
        checks = await examine(Targets.from_environment())
        console.print(show.checks(checks))
        return all(check.healthy for check in checks)

    if not asyncio.run(ask()):
        raise typer.Exit(EXIT_UNREACHABLE)
