"""The four services as the command line reaches them."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arbitragevault.autosourcing.v1.autosourcing_pb2_grpc import AutoSourcingServiceStub
from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceStub
from arbitragevault.discovery.v1.discovery_pb2_grpc import DiscoveryServiceStub
from arbitragevault.keepa_gateway.v1.keepa_gateway_pb2_grpc import KeepaGatewayServiceStub

from services.chassis.rpc.client import create_channel

if TYPE_CHECKING:  # The asynchronous stubs exist for type checkers only.
    from arbitragevault.autosourcing.v1.autosourcing_pb2_grpc import AutoSourcingServiceAsyncStub
    from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceAsyncStub
    from arbitragevault.discovery.v1.discovery_pb2_grpc import DiscoveryServiceAsyncStub
    from arbitragevault.keepa_gateway.v1.keepa_gateway_pb2_grpc import (
        KeepaGatewayServiceAsyncStub,
    )

CALLER = "avault"


@dataclass(frozen=True)
class Targets:
    """Where each service listens, as `host:port`."""

    budget: str = "127.0.0.1:50051"
    keepa_gateway: str = "127.0.0.1:50052"
    discovery: str = "127.0.0.1:50053"
    autosourcing: str = "127.0.0.1:50054"

    @classmethod
    def from_environment(cls) -> "Targets":
        """Read `BUDGET_TARGET` and its kin; what is absent is on this machine."""
        default = cls()
        return cls(
            budget=os.environ.get("BUDGET_TARGET", default.budget),
            keepa_gateway=os.environ.get("KEEPA_GATEWAY_TARGET", default.keepa_gateway),
            discovery=os.environ.get("DISCOVERY_TARGET", default.discovery),
            autosourcing=os.environ.get("AUTOSOURCING_TARGET", default.autosourcing),
        )


@dataclass(frozen=True)
class Stack:
    """A stub for each service."""

    budget: "BudgetServiceAsyncStub"
    keepa_gateway: "KeepaGatewayServiceAsyncStub"
    discovery: "DiscoveryServiceAsyncStub"
    autosourcing: "AutoSourcingServiceAsyncStub"


@asynccontextmanager
async def connect(targets: Targets) -> AsyncIterator[Stack]:
    """Open a channel to each service; nothing is sent before the first call."""
    async with AsyncExitStack() as closing:
        budget, keepa_gateway, discovery, autosourcing = [
            await closing.enter_async_context(create_channel(target, caller=CALLER))
            for target in (
                targets.budget,
                targets.keepa_gateway,
                targets.discovery,
                targets.autosourcing,
            )
        ]
        yield Stack(
            budget=BudgetServiceStub(budget),
            keepa_gateway=KeepaGatewayServiceStub(keepa_gateway),
            discovery=DiscoveryServiceStub(discovery),
            autosourcing=AutoSourcingServiceStub(autosourcing),
        )
