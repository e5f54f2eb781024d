"""What a search holds at budget goes back, however the search or the call to budget ended."""

# ruff: noqa: ARG002, ASYNC110, D102 - a servicer's methods have grpc's names and signature

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import budget_pb2_grpc

from services.chassis.errors import Kind, Refusal
from services.chassis.rpc.call import Call, working_for
from services.chassis.rpc.client import create_channel
from services.chassis.testing.serving import serve
from services.discovery.clients.budget import GrpcEnvelopes
from services.discovery.domain.errand import Errand

pytestmark = pytest.mark.anyio
AWAY = Refusal(Kind.UNAVAILABLE, "STORAGE_UNAVAILABLE", "The database is away.")


class Budget(budget_pb2_grpc.BudgetServiceServicer):
    """Grants everything; may lose its answers, be slow, or be away for some releases."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.loses_answers = False
        self.slow = False
        self.away_for = 0

    async def ReserveTokens(
        self, request: pb.ReserveTokensRequest, context: Any
    ) -> pb.ReserveTokensResponse:
        name = f"reservations/{request.request_id}"
        self.held.add(name)
        if self.slow:
            await asyncio.sleep(5)
        if self.loses_answers:
            raise AWAY
        return pb.ReserveTokensResponse(reservation=pb.Reservation(name=name))

    async def ReleaseReservation(
        self, request: pb.ReleaseReservationRequest, context: Any
    ) -> pb.ReleaseReservationResponse:
        if self.away_for:
            self.away_for -= 1
            raise AWAY
        self.held.discard(request.name)
        return pb.ReleaseReservationResponse()

    async def until_nothing_is_held(self) -> None:
        async with asyncio.timeout(30):
            while self.held:
                await asyncio.sleep(0.01)


@pytest.fixture
def budget() -> Budget:
    return Budget()


@pytest.fixture
async def envelopes(budget: Budget) -> AsyncIterator[GrpcEnvelopes]:
    def register(server: Any) -> None:
        budget_pb2_grpc.add_BudgetServiceServicer_to_server(budget, server)

    async with (
        serve(register, service="budget") as served,
        create_channel(served.address, caller="test") as channel,
    ):
        yield GrpcEnvelopes(channel)


async def hold(envelopes: GrpcEnvelopes, request_id: UUID) -> str:
    errand = Errand(caller="test")
    return await envelopes.hold(request_id, 20, errand, duration=timedelta(seconds=180))


async def test_a_grant_whose_answer_was_lost_goes_back(
    budget: Budget, envelopes: GrpcEnvelopes
) -> None:
    """INV-3: budget died between storing the grant and telling it."""
    budget.loses_answers = True

    with pytest.raises(Refusal, match="database is away"):
        await hold(envelopes, uuid4())

    await budget.until_nothing_is_held()


async def test_a_caller_who_leaves_while_tokens_are_asked_for_leaves_none_behind(
    budget: Budget, envelopes: GrpcEnvelopes
) -> None:
    budget.slow = True
    asking = asyncio.create_task(hold(envelopes, uuid4()))
    while not budget.held:
        await asyncio.sleep(0.01)

    asking.cancel()

    await budget.until_nothing_is_held()


async def test_a_search_that_ran_out_of_time_still_gives_its_tokens_back(
    budget: Budget, envelopes: GrpcEnvelopes
) -> None:
    """The caller's deadline bounds the search, not what has to be done after it."""
    envelope = await hold(envelopes, uuid4())

    with working_for(Call(deadline=time.monotonic())):
        await envelopes.release(uuid4(), envelope)

    await budget.until_nothing_is_held()


async def test_a_budget_that_is_away_for_a_moment_is_asked_again(
    budget: Budget, envelopes: GrpcEnvelopes
) -> None:
    envelope = await hold(envelopes, uuid4())
    budget.away_for = 2

    await envelopes.release(uuid4(), envelope)

    await budget.until_nothing_is_held()
