"""One more replica for a world, that only answers calls."""

from dataclasses import replace
from typing import Any

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2_grpc as rpc

from services.keepa_gateway import app
from services.keepa_gateway.settings import Settings
from tests.integration.keepa_gateway.world import CANARY, World


async def answering_only(world: World, keepa_base_url: str) -> Any:
    """Start a replica that looks for Keepa elsewhere; returns its stub.

    Reconciling and asking for balances is left to the world's other replicas, which reach Keepa.
    """
    assert world.ledger_served is not None
    settings = Settings(
        database_url=world.role("keepa_gateway"),
        nats_url=world.nats_url,
        keepa_base_url=keepa_base_url,
        keepa_api_key=CANARY,
        budget_target=world.ledger_served.address,
        throttle_per_minute=60_000,
        throttle_burst=1_000,
        hold_margin_seconds=1,
    )
    service = await app.build(settings, world.stack)
    served = await world._serve(replace(service, loops=[]))
    return rpc.KeepaGatewayServiceStub(served.channel)
