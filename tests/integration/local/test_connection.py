"""The first question to Keepa: repeated while our own parts find each other, and only then."""

# ruff: noqa: ARG002, D102 - a servicer's methods have grpc's names and signature

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2_grpc as pb_grpc

from deploy.local import connection
from services.chassis.errors import Kind, Refusal
from services.chassis.testing import serve

pytestmark = pytest.mark.anyio


class Gateway(pb_grpc.KeepaGatewayServiceServicer):
    """Refuses with each of the given reasons once, then answers."""

    def __init__(self) -> None:
        self.target = ""
        self.reasons: list[str] = []

    async def CheckConnection(
        self, request: pb.CheckConnectionRequest, context: Any
    ) -> pb.CheckConnectionResponse:
        if self.reasons:
            raise Refusal(Kind.UNAVAILABLE, self.reasons.pop(0), "It is away.")
        answer = pb.CheckConnectionResponse()
        answer.account.observation.token_count = 7
        return answer


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    made = Gateway()

    def register(server: Any) -> None:
        pb_grpc.add_KeepaGatewayServiceServicer_to_server(made, server)

    async with serve(register, service="keepa_gateway") as served:
        made.target = served.address
        yield made


async def test_a_budget_that_came_up_last_does_not_end_the_start(gateway: Gateway) -> None:
    """Parts start in any order; the gateway tries one that was away again only after seconds."""
    gateway.reasons = ["BUDGET_UNAVAILABLE", "STORAGE_UNAVAILABLE"]

    assert await asyncio.to_thread(connection.check, gateway.target) == 7


async def test_a_keepa_that_does_not_answer_ends_the_start_at_once(gateway: Gateway) -> None:
    """Nothing on this machine can cure it, so a person need not wait."""
    gateway.reasons = ["KEEPA_UNAVAILABLE", "KEEPA_UNAVAILABLE"]

    with pytest.raises(connection.Unusable, match=r"now \(KEEPA_UNAVAILABLE\): It is away"):
        await asyncio.to_thread(connection.check, gateway.target)

    assert gateway.reasons == ["KEEPA_UNAVAILABLE"]
