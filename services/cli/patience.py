"""Calls that outlive the restart of a service: repeated with the same content, within a limit.

Safe because every changing call carries a `request_id` that the repetition keeps, so a service
that had done the work before it died answers with what it did.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

import grpc.aio
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.budget.v1 import budget_pb2 as budget

from services.chassis.errors import Kind, Refusal
from services.chassis.rpc.status import refusal_from
from services.cli.stack import Stack

PATIENCE_SECONDS = 5.0
"""How long a service may be away before a command gives up."""

LONG_PATIENCE_SECONDS = 30.0
"""The same while a job is followed: long enough for a service to be started again."""

PAUSE_SECONDS = 0.3
"""How long to wait between two tries."""

WATCHING_SECONDS = 60.0
"""How long one stream is read at most before it is resumed, so that a dead one is noticed."""

Answer = TypeVar("Answer")
Change = TypeVar("Change")


async def patiently(
    call: Callable[[], Awaitable[Answer]], *, seconds: float = PATIENCE_SECONDS
) -> Answer:
    """Make a call, and make it again while its service cannot be reached.

    Raises:
        Refusal: The service refused, or stayed away for ``seconds``.
    """
    clock = asyncio.get_running_loop().time
    give_up = clock() + seconds
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            refusal = refusal_from(error)
            if not _passing(refusal) or clock() > give_up:
                raise refusal from None
        await asyncio.sleep(PAUSE_SECONDS)


async def watch_job(stack: Stack, name: str) -> AsyncIterator[autosourcing.WatchJobResponse]:
    """Follow a job to its end, through restarts of the service, without a gap.

    A job may be silent for longer than one stream is read: every stream starts with the job's
    state, so a service that answers at all is a service that is there.

    Raises:
        Refusal: The service refused, or stayed away for 30 s.
    """
    seen = 0

    def opened() -> AsyncIterable[autosourcing.WatchJobResponse]:
        request = autosourcing.WatchJobRequest(name=name, after_sequence=seen)
        return stack.autosourcing.WatchJob(request, timeout=WATCHING_SECONDS)

    async with aclosing(_resumed(opened)) as changes:
        async for change in changes:
            seen = max(seen, change.sequence)
            yield change
            if change.job.HasField("end_time"):
                return


async def watch_ledger(stack: Stack, account: str, seen: int) -> AsyncIterator[budget.LedgerEntry]:
    """Tell every new entry of a ledger after the one numbered ``seen``, through restarts.

    Raises:
        Refusal: The service refused, or stayed away for 30 s.
    """

    def opened() -> AsyncIterable[budget.WatchAccountResponse]:
        request = budget.WatchAccountRequest(name=account, after_sequence=seen)
        return stack.budget.WatchAccount(request, timeout=WATCHING_SECONDS)

    async with aclosing(_resumed(opened)) as changes:
        async for change in changes:
            # A stream that begins afresh tells from where on; what lies between is not told.
            seen = max(seen, change.after_sequence, change.entry.sequence)
            if change.HasField("entry"):
                yield change.entry


async def _resumed(opened: Callable[[], AsyncIterable[Change]]) -> AsyncGenerator[Change, None]:
    """Read stream after stream, each opened where the reader has come to.

    Raises:
        Refusal: The service refused, or stayed away for 30 s.
    """
    clock = asyncio.get_running_loop().time
    give_up = clock() + LONG_PATIENCE_SECONDS
    while True:
        try:
            async for change in opened():
                yield change
                give_up = clock() + WATCHING_SECONDS + LONG_PATIENCE_SECONDS
        except grpc.aio.AioRpcError as error:
            refusal = refusal_from(error)
            if refusal.kind is Kind.DEADLINE_EXCEEDED:
                # A whole stream without news: nothing happens, the service is not away.
                give_up = clock() + LONG_PATIENCE_SECONDS
            elif not _passing(refusal) or clock() > give_up:
                raise refusal from None
        await asyncio.sleep(PAUSE_SECONDS)


def _passing(refusal: Refusal) -> bool:
    """Tell whether the failure is of the way there, not an answer to the question."""
    return refusal.kind in (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED)
