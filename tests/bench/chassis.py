"""The echo of a server of the chassis against the same echo of a bare grpc.aio server.

Both run in one process, on one event loop: what lies between them is the border (deadlines,
places, ids), the validation of every field, and the options that production sets.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace

import grpc.aio

from services.chassis import telemetry
from services.chassis.testing.serving import serve
from tests.bench import harness, plain
from tests.bench.harness import Call, Figure, Variant

CALLERS = (1, 64)


async def measure(rounds: int, seconds: float) -> list[Figure]:
    """Measure the part."""
    figures = []
    async with (
        harness.server(__name__) as addresses,
        harness.channels(addresses.split()[0]) as full,
        bare_channels(addresses.split()[1]) as bare,
    ):
        variants = {
            "bare echo": Variant([_call(channel) for channel in bare]),
            "chassis echo": Variant([_call(channel) for channel in full]),
        }
        for callers in CALLERS:
            samples = await harness.interleaved(variants, callers, rounds, seconds)
            setting = f"{callers} callers" if callers > 1 else "1 caller"
            figures += harness.rates(samples, setting, ("bare echo",), "calls/s")
    return figures


@asynccontextmanager
async def bare_channels(address: str) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Open channels that attach nothing to a call."""
    async with AsyncExitStack() as stack:
        options = [("grpc.use_local_subchannel_pool", 1)]
        opened = [grpc.aio.insecure_channel(address, options) for _ in range(harness.CHANNELS)]
        yield [await stack.enter_async_context(channel) for channel in opened]


def _call(channel: grpc.aio.Channel) -> Call:
    echo = plain.method(channel, "Echo")
    return lambda: echo(plain.asked())


async def _serve() -> None:
    """Serve both, and print where."""
    bare = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    plain.register_echo(bare)
    port = bare.add_insecure_port("127.0.0.1:0")
    await bare.start()
    async with serve(plain.register_echo, service="bench") as served:
        sys.stdout.write(f"{served.address} 127.0.0.1:{port}\n")
        sys.stdout.flush()
        await bare.wait_for_termination()


if __name__ == "__main__":
    telemetry.configure_logging(SimpleNamespace(log_level="WARNING", log_format="console"))
    harness.run(_serve())
