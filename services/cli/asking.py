"""How every command asks: connects, shows the answer, and turns a refusal into an exit code."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import typer
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.console import Console, RenderableType

from services.chassis.errors import Kind, Refusal
from services.chassis.rpc.status import UPSTREAM_UNAVAILABLE
from services.cli import show
from services.cli.patience import patiently
from services.cli.stack import Stack, Targets, connect

MOST_PER_PAGE = 1000
EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_UNFINISHED, EXIT_INTERRUPTED = 1, 3, 4, 130

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
    except BrokenPipeError:  # Who reads the output has read enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # For what is left in it.
    except OSError as failed:  # Of a file that a person named; those of a service are refusals.
        print(f"{failed.filename}: {failed.strerror}", file=sys.stderr)
        raise typer.Exit(EXIT_REFUSED) from None
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


async def first_of(
    ask: Callable[[Any], Awaitable[Any]], request: Any, field: str, limit: int
) -> list[Any]:
    """Read pages until there are ``limit`` items; say when there are more, and which are missing.

    Args:
        ask: The call that gives a page.
        request: What is asked; its `page_size` and `page_token` are set here.
        field: The field of the answer that holds the items.
        limit: Items at most.

    Raises:
        Refusal: The service refused, or stayed away.
    """
    found: list[Any] = []
    lost: list[str] = []
    request.page_size = min(limit, MOST_PER_PAGE)
    while True:
        page = await patiently(lambda: ask(request))
        found += getattr(page, field)
        lost += _unreachable(page)
        request.page_token = page.next_page_token
        if not page.next_page_token or len(found) >= limit:
            break
    if page.next_page_token or len(found) > limit:
        progress.print("There are more than these; --limit shows more.", style="dim")
    if lost:
        told = f"Stored, but cannot be read: {', '.join(lost)}. The service's log says why."
        progress.print(told, style="yellow")
    return found[:limit]


def _unreachable(page: Any) -> list[str]:
    """Name what stands on a page and cannot be read; lists of what is only columns have none."""
    numbers = getattr(page, "unreachable_revisions", ())
    return [*getattr(page, "unreachable", ()), *(f"revision {number}" for number in numbers)]
