"""A service of four methods, one of each kind, that does what its request says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import wrappers_pb2

from services.chassis.errors import Kind, Refusal
from services.chassis.rpc.call import current_call
from tests.support import Served, serve

Text = wrappers_pb2.StringValue
NAME = "test.v1.EchoService"


async def _act(word: str) -> None:
    """Do what the request asks for; an unknown word asks for nothing."""
    if word == "bug":
        raise ValueError("GET https://api.keepa.com/product?key=CANARY")
    if word == "sleep":
        await asyncio.sleep(30)
    if word == "abort":
        raise AssertionError("unreachable")
    if word == "refuse":
        raise Refusal(
            Kind.RESOURCE_EXHAUSTED,
            "INSUFFICIENT_TOKENS",
            "3 tokens are available and 15 are required.",
            facts={"balance": 3, "required": 15, "deficit": 12},
            retry_after=timedelta(seconds=61, milliseconds=200),
        )


async def one(request: Any, context: Any) -> Any:
    if request.value == "abort":
        await context.abort(grpc.StatusCode.DATA_LOSS, "on purpose")
    if request.value == "nothing":
        return None
    await _act(request.value)
    call = current_call()
    return Text(value=f"{call.caller} {call.request_id} {call.traceparent} {call.remaining()}")


async def many(request: Any, context: Any) -> AsyncIterator[Any]:
    yield Text(value="first")
    await _act(request.value)
    yield Text(value="last")


async def written(request: Any, context: Any) -> None:
    await context.write(Text(value="first"))
    await _act(request.value)


async def gathered(requests: Any, context: Any) -> Any:
    words = [request.value async for request in requests]
    await _act(words[-1])
    return Text(value=" ".join(words))


async def both(requests: Any, context: Any) -> AsyncIterator[Any]:
    async for request in requests:
        await _act(request.value)
        yield request


def unwritten(request: Any, context: Any) -> Any:
    """What the generated base class answers."""
    context.set_code(grpc.StatusCode.UNIMPLEMENTED)
    raise NotImplementedError("Method not implemented!")


def register(server: grpc.aio.Server) -> None:
    codec = {
        "request_deserializer": Text.FromString,
        "response_serializer": Text.SerializeToString,
    }
    methods = {
        "One": grpc.unary_unary_rpc_method_handler(one, **codec),
        "Many": grpc.unary_stream_rpc_method_handler(many, **codec),
        "WatchMany": grpc.unary_stream_rpc_method_handler(many, **codec),
        "Written": grpc.unary_stream_rpc_method_handler(written, **codec),
        "Gathered": grpc.stream_unary_rpc_method_handler(gathered, **codec),
        "Both": grpc.stream_stream_rpc_method_handler(both, **codec),
        "Unwritten": grpc.unary_unary_rpc_method_handler(unwritten, **codec),
        "UnwrittenMany": grpc.unary_stream_rpc_method_handler(unwritten, **codec),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(NAME, methods)])


def _bytes(request: Any) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()


_KINDS = {
    "Many": "unary_stream",
    "WatchMany": "unary_stream",
    "Written": "unary_stream",
    "UnwrittenMany": "unary_stream",
    "Gathered": "stream_unary",
    "Both": "stream_stream",
}


@pytest.fixture
async def echo() -> AsyncIterator[Served]:
    async with serve(register, service="budget", full_names=[NAME]) as served:
        yield served


@pytest.fixture
def ask(echo: Served) -> Callable[..., Any]:
    """Call a method by its name with words or raw bytes; a word may also be a channel's."""

    def call(
        method: str, *words: str | bytes, channel: grpc.aio.Channel | None = None, **rest: Any
    ) -> Any:
        kind = _KINDS.get(method, "unary_unary")
        stub = getattr(channel or echo.channel, kind)(
            f"/{NAME}/{method}", request_serializer=_bytes, response_deserializer=Text.FromString
        )
        requests = [word if isinstance(word, bytes) else Text(value=word) for word in words]
        return stub(iter(requests) if kind.startswith("stream") else requests[0], **rest)

    return call


@pytest.fixture
async def plain(echo: Served) -> AsyncIterator[grpc.aio.Channel]:
    """A channel that adds nothing, as a stranger's does."""
    async with grpc.aio.insecure_channel(echo.address) as channel:
        yield channel
