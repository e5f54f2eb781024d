"""A replica of discovery behind a real port, with stand-ins for its two peers."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from arbitragevault.discovery.v1 import discovery_pb2_grpc

from services.chassis.testing import serve
from tests.integration.discovery.stage import Purse, Replica, Till, replica, servicer_of


@pytest.fixture(scope="module")
def till() -> Till:
    """The gateway's stand-in; a module may have one that finds more."""
    return Till()


@pytest.fixture(scope="module")
async def one(service_database: Callable[[str], str], till: Till) -> AsyncIterator[Replica]:
    async with replica(service_database("discovery"), till, Purse()) as made:
        yield made


@pytest.fixture(scope="module")
async def served(one: Replica) -> AsyncIterator[Any]:
    """A stub of the service, as `avault` calls it."""
    servicer = servicer_of(one)

    def register(server: Any) -> None:
        discovery_pb2_grpc.add_DiscoveryServiceServicer_to_server(servicer, server)

    async with serve(register, service="discovery", caller="avault") as served:
        yield discovery_pb2_grpc.DiscoveryServiceStub(served.channel)


@pytest.fixture(scope="module")
def discovery(served: Any) -> Any:
    """The same; a module may have one that starts each test afresh."""
    return served
