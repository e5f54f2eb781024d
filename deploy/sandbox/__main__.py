"""`python -m deploy.sandbox` serves the stand-in until it is told to stop."""

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence

from deploy.sandbox.account import Account
from deploy.sandbox.app import build
from deploy.sandbox.bucket import MINUTES_A_TOKEN_LIVES, Bucket, on_time, sometimes_late
from deploy.sandbox.catalogue import Catalogue
from deploy.sandbox.catalogue.generated import GeneratedCatalogue
from deploy.sandbox.catalogue.recorded import NothingRecorded, load
from deploy.sandbox.clock import Clock
from deploy.sandbox.door import listening
from deploy.sandbox.keepa_time import minute_of
from deploy.sandbox.options import parser
from deploy.sandbox.server import serve
from deploy.sandbox.truth import TruthLog


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, or say in one sentence why not; returns the exit code."""
    options = parser().parse_args(arguments)
    clock = Clock(scale=options.time_scale)
    try:
        sock = listening(options.host, options.port)
    except OSError as error:
        return _give_up(f"Port {options.port} cannot be listened on: {error.strerror}.")
    try:
        catalogue = _catalogue(options, clock)
    except NothingRecorded as nothing:
        sock.close()
        return _give_up(str(nothing))
    account = _account(options, clock)
    sandbox = build(account, catalogue, rng=_rng(options), key=options.key, latency=options.latency)
    print(_greeting(options, catalogue, sock.getsockname()[1]), flush=True)
    asyncio.run(serve(sandbox.app, sock))
    account.truth.close()
    return 0


def _catalogue(options: argparse.Namespace, clock: Clock) -> Catalogue:
    minute = minute_of(clock())
    if options.catalog:
        return load(options.catalog, minute)
    return GeneratedCatalogue(seed=options.seed, size=options.books, minute=minute)


def _account(options: argparse.Namespace, clock: Clock) -> Account:
    tick_ms = round(options.tick_seconds * 1_000)
    full = MINUTES_A_TOKEN_LIVES * options.rate
    bucket = Bucket(
        rate=options.rate,
        left=full if options.balance is None else min(options.balance, full),
        first_tick_ms=clock() + tick_ms,
        tick_ms=tick_ms,
        lateness=sometimes_late(_rng(options), tick_ms) if options.late_ticks else on_time,
    )
    return Account(bucket, TruthLog(options.truth), clock)


def _rng(options: argparse.Namespace) -> random.Random:
    return random.Random(options.seed)  # noqa: S311 - plausible, not secret


def _greeting(options: argparse.Namespace, catalogue: Catalogue, port: int) -> str:
    return (
        f"Keepa stand-in: http://{options.host}:{port} "
        f"({len(catalogue.asins())} products, {options.rate} tokens every "
        f"{options.tick_seconds:g} s)"
    )


def _give_up(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
