"""The smallest service that can be run: one loop that fails, one call that waits, paid work."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack

import grpc
import grpc.aio
from google.protobuf import wrappers_pb2

from services.chassis import telemetry
from services.chassis.events import nats
from services.chassis.run import Loop, Service, run
from services.chassis.settings import ServiceSettings

Text = wrappers_pb2.StringValue


_log = telemetry.get_logger(__name__)


class TinySettings(ServiceSettings, env_prefix=os.environ.get("TINY_PREFIX", "TINY_")):
    """As every service's."""


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def build(settings: TinySettings, stack: AsyncExitStack) -> Service:
    await stack.enter_async_context(
        nats.connection(settings.nats_url, "tiny", patience_seconds=settings.start_patience_seconds)
    )
    stack.callback(say, "closed")
    paid: set[asyncio.Task[None]] = set()

    async def pay() -> None:
        _log.info("paying")
        await asyncio.sleep(0.5)
        say("paid")

    async def answer(request: Text, context: object) -> Text:
        task = asyncio.create_task(pay())
        paid.add(task)
        await asyncio.shield(task)
        return request

    async def watch(request: Text, context: object) -> object:
        yield request
        await asyncio.sleep(60)

    async def fail() -> None:
        say("loop")
        raise ValueError("again")

    async def finish() -> None:
        if paid:
            await asyncio.wait(paid)
        say("finished")

    def register(server: grpc.aio.Server) -> None:
        codec = {
            "request_deserializer": Text.FromString,
            "response_serializer": Text.SerializeToString,
        }
        methods = {
            "Pay": grpc.unary_unary_rpc_method_handler(answer, **codec),
            "Watch": grpc.unary_stream_rpc_method_handler(watch, **codec),
        }
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Tiny", methods)])

    return Service("tiny", register, ["Tiny"], [Loop("failing", fail)], [finish])


if __name__ == "__main__":
    run("tiny", TinySettings, build)
