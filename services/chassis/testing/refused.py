"""Catches what a call was refused with."""

from collections.abc import AsyncIterable, Awaitable
from typing import Any

import grpc.aio

from services.chassis.errors import Refusal
from services.chassis.rpc.status import refusal_from


async def refusal(call: Awaitable[Any] | AsyncIterable[Any]) -> Refusal:
    """Await a call, or read a stream to its end, and return the refusal it must end with."""
    try:
        answer = await finished(call)
    except grpc.aio.AioRpcError as error:
        return refusal_from(error)
    except Refusal as refused:
        return refused
    raise AssertionError(f"expected a refusal, got {answer!r}")


async def finished(call: Awaitable[Any] | AsyncIterable[Any]) -> Any:
    """Await a call, or collect the answers of a stream."""
    if isinstance(call, AsyncIterable):
        return [answer async for answer in call]
    return await call
