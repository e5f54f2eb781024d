"""The command line of the stand-in."""

import argparse
from pathlib import Path

from deploy.sandbox.bucket import TICK_MS
from deploy.sandbox.clock import FASTEST


def parser() -> argparse.ArgumentParser:
    """Return the parser; every option has a default that needs no thought."""
    options = argparse.ArgumentParser(
        prog="python -m deploy.sandbox",
        description="Answers as api.keepa.com does, with invented books and honest token counts.",
    )
    add = options.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=_port, default=8090, help="0 takes any free port")
    add("--rate", type=_rate, default=20, help="tokens per tick: the plan")
    add("--tick-seconds", type=_tick, default=TICK_MS / 1_000, help="length of a tick")
    add("--time-scale", type=_scale, default=1.0,
        help="how fast its clock runs; 0 stands still until it is moved")  # fmt: skip
    add("--late-ticks", action=argparse.BooleanOptionalAction, default=True,
        help="let some ticks come a few milliseconds late, as Keepa's do")  # fmt: skip
    add("--balance", type=int, help="tokens at start; a full bucket if not given")
    add("--key", help="the only key that is accepted; any if not given")
    add("--seed", type=int, default=1, help="grows the catalogue")
    add("--books", type=_books, default=3_000, help="size of the catalogue")
    add("--catalog", type=Path, help="folder of recorded answers instead of invented books")
    add("--latency", type=_latency, default=0.0, help="1 answers as slowly as Keepa, 0 at once")
    add("--truth", type=Path, help="file that the truth log is appended to")
    return options


def _bounded(text: str, least: float, most: float) -> float:
    value = float(text)
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
    return value


def _port(text: str) -> int:
    return int(_bounded(text, 0, 65_535))


def _rate(text: str) -> int:
    return int(_bounded(text, 1, 20_000))


def _books(text: str) -> int:
    return int(_bounded(text, 1, 1_000_000))


def _tick(text: str) -> float:
    return _bounded(text, 0.01, 3_600)


def _scale(text: str) -> float:
    return _bounded(text, 0, FASTEST)


def _latency(text: str) -> float:
    return _bounded(text, 0, 100)
