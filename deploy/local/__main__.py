"""`python -m deploy.local up` and `python -m deploy.local demo`."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from deploy.local import connection, folder, settings, stack
from deploy.local.narrator import Narrator
from deploy.local.process import CannotStart
from deploy.local.running import Running
from deploy.local.settings import BadSetting, Choices

TEND_SECONDS = 0.2
EXIT_FAILED = 1
EXIT_BAD_SETTING = 2
EXIT_INTERRUPTED = 130
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
Data = Annotated[
    Path | None, typer.Option(help="Keep everything in this folder; without it nothing is kept.")
]
Catalog = Annotated[
    Path | None, typer.Option(help="A folder of recorded Keepa answers for the sandbox.")
]
Rate = Annotated[int, typer.Option(help="Tokens that the sandbox's account gains per tick.")]
Balance = Annotated[
    int | None, typer.Option(help="Tokens the sandbox starts with; a full bucket if not given.")
]


class Interrupted(Exception):  # noqa: N818  not an error: somebody asked for it
    """A person or a system asked us to stop."""


@app.command()
def up(
    *,
    data: Data = None,
    catalog: Catalog = None,
    port_base: Annotated[
        int | None, typer.Option(help="Lay all ports out above this number.")
    ] = None,
    postgres_port: Annotated[int | None, typer.Option(help="PostgreSQL's port [5432].")] = None,
    nats_port: Annotated[int | None, typer.Option(help="NATS' port [4222].")] = None,
    rate: Rate = 20,
    balance: Balance = None,
) -> None:
    """Start the whole stack and keep it up until Ctrl-C."""

    def choose() -> Choices:
        chosen = settings.ports_above(port_base, postgres=postgres_port, nats=nats_port)
        sandbox = stack.Sandbox(_absolute(catalog), rate, balance)
        return settings.read_environment(_environment(), ports=chosen, sandbox=sandbox, data=data)

    sys.exit(_conduct(choose, _stay_up))


@app.command()
def demo(
    *,
    data: Data = None,
    catalog: Catalog = None,
    out: Annotated[Path, typer.Option(help="Where the picks are written.")] = Path("out"),
    rate: Rate = 20,
    balance: Balance = None,
) -> None:
    """Run one AutoSourcing job end to end on free ports, show what it found, and stop."""

    def choose() -> Choices:
        _refuse_unwritable(out.absolute())
        sandbox = stack.Sandbox(_absolute(catalog), rate, balance)
        anywhere = stack.Ports(*[0] * 7)
        return settings.read_environment(_environment(), ports=anywhere, sandbox=sandbox, data=data)

    def tell(running: Running, narrator: Narrator) -> int:
        narrator.say("")
        return _run_to_end(_tell_story(running, out.absolute(), recorded=catalog is not None))

    sys.exit(_conduct(choose, tell))


def _conduct(choose: Callable[[], Choices], act: Callable[[Running, Narrator], int]) -> int:
    """Bring a stack up, do something with it, take it down; return the exit status."""
    narrator = Narrator()
    try:
        with Running(choose(), narrator) as running, _interruptible(running, narrator):
            running.start()
            tokens = connection.check(stack.target(running.ports, "keepa_gateway"))
            narrator.say(f"  Keepa answers: {tokens} tokens left.")
            return act(running, narrator)
    except BadSetting as reason:
        narrator.failed(str(reason))
        return EXIT_BAD_SETTING
    except CannotStart as reason:
        narrator.failed(str(reason))
        return EXIT_FAILED
    except Interrupted:
        return EXIT_INTERRUPTED


def _stay_up(running: Running, narrator: Narrator) -> int:
    lines = (*stack.avault_lines(running.ports), *stack.grpcurl_lines(running.ports))
    narrator.invitation(lines, running.data)
    try:
        while True:
            running.tend()
            time.sleep(TEND_SECONDS)
    except Interrupted:
        narrator.say("Stopping; Ctrl-C again does not wait for paid work.")
        return 0  # Being stopped is how `up` is meant to end.


def _run_to_end(story: Coroutine[None, None, int]) -> int:
    """Run it, and have signals mean what they meant before: a loop forgets that at its end."""
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        return asyncio.run(story)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


async def _tell_story(running: Running, out: Path, *, recorded: bool) -> int:
    """Run the demo's story while every part is looked after."""
    from services.cli.demo import run_demo  # noqa: PLC0415  `up` needs no command line client
    from services.cli.stack import Targets  # noqa: PLC0415

    story = asyncio.current_task()
    assert story is not None
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, story.cancel)
    targets = Targets(**{name: stack.target(running.ports, name) for name in stack.SERVICES})
    care = asyncio.create_task(_tend(running))
    try:
        return await run_demo(targets, running.sandbox_url, out, recorded=recorded)
    except asyncio.CancelledError:
        raise Interrupted from None
    finally:
        care.cancel()


async def _tend(running: Running) -> None:
    while True:
        running.tend()
        await asyncio.sleep(TEND_SECONDS)


@contextmanager
def _interruptible(running: Running, narrator: Narrator) -> Iterator[None]:
    """Turn the first request to stop into `Interrupted`; the second ends everything at once."""
    asked = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked or running.stopping:
            narrator.news("Ending everything at once.")
            running.kill()
            return
        asked = True
        raise Interrupted

    for number in STOP_SIGNALS:
        signal.signal(number, on_signal)
    yield


def _environment() -> dict[str, str]:
    """Take our environment, and keep the key out of what any child might inherit."""
    environment = dict(os.environ)
    os.environ.pop("KEEPA_API_KEY", None)
    return environment


def _refuse_unwritable(out: Path) -> None:
    """Find out before anything is spent whether its result could be written at the end."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder.probe(out)
    except OSError as error:
        raise BadSetting(
            f"The picks cannot be written to {out}: {error.strerror}. Choose another with --out."
        ) from None


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()


if __name__ == "__main__":
    app()
