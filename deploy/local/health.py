"""Whether a part answers: gRPC health for services, HTTP for the stand-in, a greeting for NATS."""

import asyncio
import json
import socket
import urllib.request
from contextlib import suppress
from urllib.parse import urlsplit

import asyncpg
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local import ports
from deploy.local.process import CannotStart

PROBE_SECONDS = 0.5
CONNECT_SECONDS = 5.0


def serves(port: int) -> bool:
    """Ask a service on the loopback address whether it is SERVING."""
    if not ports.is_taken(port):
        return False
    with grpc.insecure_channel(f"{ports.HOST}:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        with suppress(grpc.RpcError):
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=PROBE_SECONDS)
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
    return False


def answers(url: str) -> bool:
    """Ask an HTTP server on the loopback address; any 200 will do."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError), opener.open(url, timeout=PROBE_SECONDS) as answer:
        return bool(answer.status == 200)
    return False


def check_database(url: str) -> None:
    """Log in once.

    Raises:
        CannotStart: The server is not there, or refuses; its address is named, no secret is.
    """
    parts = urlsplit(url)
    plain = parts._replace(scheme="postgresql").geturl()

    async def log_in() -> None:
        connection = await asyncpg.connect(plain, timeout=CONNECT_SECONDS)
        await connection.close()

    try:
        asyncio.run(log_in())
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        reason = str(error).splitlines()[0] if str(error) else "no answer in time"
        place = f"{parts.hostname}:{parts.port or 5432}"
        raise CannotStart(f"DATABASE_URL: PostgreSQL at {place} refuses: {reason}.") from None


def check_broker(url: str) -> None:
    """Read the greeting of one of the servers, which says whether JetStream is on.

    Raises:
        CannotStart: No server greets, or JetStream is off.
    """
    for each in url.split(","):
        parts = urlsplit(each)
        address = (parts.hostname or ports.HOST, parts.port or 4222)
        with suppress(OSError, ValueError), socket.create_connection(address, 2) as connection:
            line = connection.makefile("rb").readline()
            greeting = json.loads(line.removeprefix(b"INFO "))
            if greeting.get("jetstream"):
                return
            raise CannotStart(f"NATS_URL: JetStream is off at {address[0]}:{address[1]}.")
    raise CannotStart("NATS_URL: no NATS server answers there.")
