"""A real server and a real channel inside the test's process, on a free port."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio

from services.chassis.rpc import client
from services.chassis.rpc import server as servers
from services.chassis.rpc.border import Border
from services.chassis.settings import ServiceSettings


@dataclass(frozen=True)
class Served:
    """A service that answers.

    Attributes:
        channel: Passes on deadline, caller and trace, as a peer's channel does.
        address: For channels of other kinds.
        server: To be stopped early.
        border: Its interceptor.
    """

    channel: grpc.aio.Channel
    address: str
    server: grpc.aio.Server
    border: Border


def settings(**values: Any) -> ServiceSettings:
    """Build settings that need no environment."""
    return ServiceSettings(
        **{"port": 0, "database_url": "postgresql://nobody:secret@127.0.0.1:1/none", **values}
    )


@asynccontextmanager
async def serve(
    register: Callable[[grpc.aio.Server], None],
    *,
    service: str,
    full_names: Sequence[str] = (),
    caller: str = "test",
    limits: ServiceSettings | None = None,
) -> AsyncIterator[Served]:
    """Serve what ``register`` adds, with the interceptor, health and reflection of production.

    Args:
        register: Adds the servicers.
        service: First part of the error domain.
        full_names: For health and reflection.
        caller: Who the channel says it is.
        limits: Settings other than the usual ones.
    """
    chosen = limits or settings()
    border = servers.create_border(chosen, service)
    server = servers.create_server(chosen, service, border=border)
    register(server)
    health = await servers.enable_health(server, full_names)
    servers.enable_reflection(server, full_names)
    address = f"127.0.0.1:{servers.listen(server, '127.0.0.1', 0)}"
    await server.start()
    await servers.serving(health, full_names)
    try:
        async with client.create_channel(address, caller=caller) as channel:
            yield Served(channel, address, server, border)
    finally:
        border.watches.end()
        await server.stop(None)
