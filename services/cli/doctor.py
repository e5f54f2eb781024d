"""Asks every service how it is."""

import asyncio
from dataclasses import dataclass, fields

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis.rpc.client import create_channel
from services.cli.stack import CALLER, Targets

PATIENCE_SECONDS = 3.0


@dataclass(frozen=True)
class Check:
    """How one service is.

    Attributes:
        told: What it answered, or what to do about it.
    """

    service: str
    target: str
    healthy: bool
    told: str


async def examine(targets: Targets) -> list[Check]:
    """Ask all four at once."""
    pairs = [(field.name, getattr(targets, field.name)) for field in fields(targets)]
    return await asyncio.gather(*(_check(service, target) for service, target in pairs))


async def _check(service: str, target: str) -> Check:
    async with create_channel(target, caller=CALLER) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(
                health_pb2.HealthCheckRequest(service=""), timeout=PATIENCE_SECONDS
            )
        except grpc.aio.AioRpcError:
            setting = f"{service.upper()}_TARGET"
            told = f"does not answer; start it with `make up`, or set {setting} to where it is"
            return Check(service, target, healthy=False, told=told)
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    told = "serving" if serving else "up, but not ready; its log says what it waits for"
    return Check(service, target, healthy=serving, told=told)
