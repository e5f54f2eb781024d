"""A service as a process: how it starts, what it says when it cannot, and how it stops."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import wrappers_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.postgres import Postgres
from services.chassis.rpc import client
from tests.support import refusal

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
NOWHERE = "127.0.0.1:1"
SECRET = "hunter2-canary"
Start = Callable[..., Awaitable[Process]]
Text = wrappers_pb2.StringValue


@pytest.fixture
async def start(postgres: str, nats_server: str) -> AsyncIterator[Start]:
    """Start the tiny service with the engines of the test, and some variables changed."""
    started: list[Process] = []

    async def begin(**changed: str) -> Process:
        variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TINY_PORT": "0",
            "TINY_DATABASE_URL": postgres,
            "TINY_START_PATIENCE_SECONDS": "0.5",
            "NATS_URL": nats_server,
            **changed,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.integration.chassis.tiny",
            env=variables,
            cwd=ROOT,
            stdout=PIPE,
            stderr=PIPE,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _line(process: Process, event: str) -> dict[str, Any]:
    """Read the log up to a line about ``event``."""
    assert process.stderr is not None
    async with asyncio.timeout(40):
        async for line in process.stderr:
            found = json.loads(line)
            if found["event"] == event:
                return dict(found)
    raise AssertionError(f"the log ended without {event!r}")


async def _end(process: Process) -> tuple[int, str, str]:
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


def _call(channel: grpc.aio.Channel, method: str, kind: str = "unary_unary") -> Any:
    stub = getattr(channel, kind)(
        f"/Tiny/{method}",
        request_serializer=Text.SerializeToString,
        response_deserializer=Text.FromString,
    )
    return stub(Text(value="x"))


async def test_a_service_stops_in_order_and_pays_what_it_began(start: Start) -> None:
    """An orderly stop leaves nothing unknown: loops, paid work, calls, broker, pool (K20).

    Its loop fails all the while, and is started again each time.
    """
    process = await start()
    port = (await _line(process, "service started"))["port"]
    for _ in range(2):
        assert (await _line(process, "loop failed"))["loop"] == "failing"
    async with client.create_channel(f"127.0.0.1:{port}", caller="test") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        serving = await health.Check(health_pb2.HealthCheckRequest(service="Tiny"))
        watch = _call(channel, "Watch", "unary_stream")
        await watch.read()
        paying = asyncio.ensure_future(_call(channel, "Pay"))
        await _line(process, "paying")
        process.send_signal(signal.SIGTERM)
        stopped = await refusal(watch.read())
        answer = await paying
    code, output, _ = await _end(process)

    assert serving.status == health_pb2.HealthCheckResponse.SERVING
    assert answer.value == "x"
    assert stopped.reason == "SERVER_STOPPING"
    assert code == 0
    assert output.split().count("loop") >= 2
    assert [line for line in output.split() if line != "loop"] == [
        "paid",
        "finished",
        "finished",
        "closed",
    ]


async def test_a_lost_database_takes_the_service_out_of_the_balancers_and_back(
    start: Start, tmp_path: Path
) -> None:
    """Its calls would only fail, while another replica may still reach one (L6)."""
    with Postgres.start(tmp_path, durable=False) as server:
        process = await start(TINY_DATABASE_URL=server.url)
        address = f"127.0.0.1:{(await _line(process, 'service started'))['port']}"
    await _line(process, "database lost")
    async with client.create_channel(address, caller="test") as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        lost = await check(health_pb2.HealthCheckRequest(service="Tiny"))
        with Postgres.start(tmp_path, server.port, durable=False):
            await _line(process, "database found again")
            found = await check(health_pb2.HealthCheckRequest(service="Tiny"))

    assert lost.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert found.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_taken_port_is_named_with_what_to_do(start: Start) -> None:
    """The likeliest mistake of a first start is a second one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, errors = await _end(await start(TINY_PORT=str(port)))

    assert code == 1
    assert errors == (
        f"tiny cannot listen on 127.0.0.1:{port}: another process has port {port}; "
        "stop it, or set TINY_PORT.\n"
    )


async def test_every_bad_setting_is_named_at_once_without_its_value(start: Start) -> None:
    """Mending one variable per start is a slow way to learn them."""
    code, _, errors = await _end(
        await start(TINY_PORT=SECRET, LOG_LEVEL=SECRET, TINY_DATABASE_URL="")
    )

    assert code == 2
    assert [line.partition(":")[0] for line in errors.splitlines()] == [
        "TINY_PORT",
        "TINY_DATABASE_URL",
        "LOG_LEVEL",
    ]
    assert SECRET not in errors


async def test_a_stop_while_waiting_for_the_database_is_obeyed(start: Start) -> None:
    """Ctrl-C must not wait for the patience to end."""
    process = await start(
        LOG_LEVEL="DEBUG",
        TINY_START_PATIENCE_SECONDS="60",
        TINY_DATABASE_URL=f"postgresql://a:b@{NOWHERE}/x",
    )
    await _line(process, "database awaited")

    process.send_signal(signal.SIGINT)
    code, _, errors = await _end(process)

    assert code == 0
    assert "Traceback" not in errors
