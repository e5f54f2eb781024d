"""How every command asks: connects, shows the answer, and turns a refusal into an exit code."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable

import typer
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.console import Console, RenderableType

from services.chassis.errors import Kind, Refusal
from services.chassis.rpc.status import UPSTREAM_UNAVAILABLE
from services.cli import show
from services.cli.stack import Stack, Targets, connect

EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_INTERRUPTED = 1, 3, 130

# What is shown comes from listings and from people: brackets and colons in it are no commands.
console = Console(markup=False, emoji=False)
progress = Console(stderr=True, markup=False, emoji=False)


def asking(ask: Callable[[Stack], Awaitable[None]]) -> None:
    """Connect, ask, and turn a refusal into a sentence and an exit code."""

    async def connected() -> None:
        async with connect(Targets.from_environment()) as stack:
            await ask(stack)

    try:
        asyncio.run(connected())
    except Refusal as refused:
        print(show.refusal(refused), file=sys.stderr)
        away = refused.kind in (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED)
        if refused.reason == UPSTREAM_UNAVAILABLE:
            print("`avault doctor` says which service is away.", file=sys.stderr)
        raise typer.Exit(EXIT_UNREACHABLE if away else EXIT_REFUSED) from None
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None


def show_one(message: Message, shown: RenderableType, *, json: bool) -> None:
    """Print one answer, as a table or as a line of JSON."""
    if json:
        print(MessageToJson(message, indent=None))
    else:
        console.print(shown)


def show_all(messages: Iterable[Message], shown: RenderableType, *, json: bool) -> None:
    """Print answers, as one table or as a line of JSON each."""
    if not json:
        console.print(shown)
        return
    for message in messages:
        print(MessageToJson(message, indent=None))
