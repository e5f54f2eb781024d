"""Claims about what can never succeed: refused before it takes anything of anybody's.

The one place of the throttle is taken and the next is free in a minute, so that whoever asks for
a place is told so, or waits.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from services.chassis import sql
from services.chassis.errors import Refusal
from services.chassis.testing.engines import Databases
from tests.integration.keepa_gateway.conftest import builder
from tests.integration.keepa_gateway.world import (
    CANARY,
    World,
    collected,
    products,
    sandbox_process,
)
from tests.support import refusal

pytestmark = pytest.mark.anyio

CAPACITY, FLOOR, FULL_LIST, PAGE = 60, 10, 500, 11
PATIENCE = Duration(seconds=20)
TAKE_PLACE = """update keepa_gateway.throttle
    set full_at = clock_timestamp() + interval '1 minute'"""
TAKEN = """select (select count(*) from keepa_gateway.attempts),
    (select count(*) from budget.ledger where kind in ('HELD', 'WAITING', 'RELEASED'))"""


@pytest.fixture(scope="module")
async def lasting_world(databases: Databases, nats_server: str) -> AsyncIterator[World]:
    """One token a minute, one place a minute."""
    options = ("--rate", "1", "--balance", "60", "--books", "100", "--key", CANARY)
    limits = {"throttle_per_minute": 1, "throttle_burst": 1}
    async with AsyncExitStack() as stack:
        sandbox = stack.enter_context(sandbox_process(*options))
        world = await builder(databases, nats_server, stack)(sandbox, **limits)
        await collected(world.gateway.GetProducts(products(sandbox.asins(1))))
        yield world


@pytest.fixture
async def world(lasting_world: World) -> World:
    """The same, and the place has just been taken."""
    connection = await asyncpg.connect(sql.plain_url(lasting_world.database_url))
    try:
        await connection.execute(TAKE_PLACE)
    finally:
        await connection.close()
    return lasting_world


async def taken(world: World) -> tuple[int, ...]:
    """Rows of attempts, and entries of reservations."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    try:
        return tuple(await connection.fetchrow(TAKEN))
    finally:
        await connection.close()


async def listed(world: World, **spending: object) -> Refusal:
    """Why the list of all lightning deals is refused to a patient caller."""
    request = pb.ListLightningDealsRequest(
        request_id=str(uuid.uuid4()),
        full_list=True,
        spending=pb.Spending(max_wait_duration=PATIENCE, **spending),
    )
    return await refusal(world.gateway.ListLightningDeals(request))


async def found(world: World, envelope: str) -> Refusal:
    """Why a page of the finder is refused to who would draw on an envelope."""
    request = pb.FindProductsRequest(
        request_id=str(uuid.uuid4()),
        selection=pb.ProductSelection(root_category_id=283155),
        spending=pb.Spending(envelope=envelope, max_wait_duration=PATIENCE),
    )
    return await refusal(world.gateway.FindProducts(request))


async def test_what_exceeds_the_capacity_asks_for_no_place(world: World) -> None:
    """INC-8: one place for it would be one too few for somebody else, and a wait for nothing."""
    before = await taken(world)
    offers = pb.ProductOptions(offer_count=100)
    patient = pb.Spending(max_wait_duration=PATIENCE)

    whole_list = await listed(world)
    product = await refusal(
        world.gateway.GetProducts(
            products(world.sandbox.asins(1), options=offers, spending=patient)
        )
    )

    assert [one.reason for one in (whole_list, product)] == ["COST_EXCEEDS_CAPACITY"] * 2
    assert whole_list.facts == {"required": FULL_LIST + FLOOR, "capacity": CAPACITY}
    assert product.facts == {"required": 64 + FLOOR, "capacity": CAPACITY}
    assert {one.domain for one in (whole_list, product)} == {"budget.arbitragevault"}
    assert await taken(world) == before


async def test_a_draw_that_no_envelope_pays_asks_for_no_place(world: World) -> None:
    """A cancelled job is told so at once, also while the throttle is closed."""
    answer = await world.ledger.ReserveTokens(
        budget.ReserveTokensRequest(
            request_id=str(uuid.uuid4()),
            token_count=PAGE - 1,
            kind=budget.RESERVATION_KIND_ENVELOPE,
        )
    )
    name = answer.reservation.name
    before = await taken(world)

    exhausted = await found(world, name)
    unheard_of = await found(world, f"reservations/{uuid.uuid4()}")

    assert exhausted.reason == "ENVELOPE_EXHAUSTED"
    assert exhausted.facts == {"state": "HELD", "remaining": PAGE - 1, "required": PAGE}
    assert unheard_of.reason == "RESERVATION_NOT_FOUND"
    assert await taken(world) == before

    await world.ledger.ReleaseReservation(
        budget.ReleaseReservationRequest(
            request_id=str(uuid.uuid4()), name=name, reason=budget.RELEASE_REASON_FINISHED
        )
    )
    before = await taken(world)
    ended = await found(world, name)
    products_too = await refusal(
        world.gateway.GetProducts(
            products(world.sandbox.asins(1), spending=pb.Spending(envelope=name))
        )
    )

    assert [one.reason for one in (ended, products_too)] == ["RESERVATION_ENDED"] * 2
    assert ended.facts == {"state": "RELEASED", "remaining": 0}
    assert ended.resource == ("budget.arbitragevault/Reservation", name)
    assert await taken(world) == before


async def test_who_was_refused_before_joining_holds_up_nobody(world: World) -> None:
    """The next who asks for the same product is answered for itself."""
    request = products(world.sandbox.asins(1))
    hasty = await refusal(world.gateway.GetProducts(request, timeout=0.4))

    again = products(list(request.asins))
    next_one = await refusal(world.gateway.GetProducts(again, timeout=20))

    # On a busy machine the caller's own clock may strike first.
    assert hasty.reason in ("DEADLINE_TOO_SHORT", "DEADLINE_EXCEEDED")
    assert next_one.reason == "THROTTLED"


async def test_another_plan_counts_from_its_first_answer(world: World) -> None:
    """What was learned of the capacity is not believed against what Keepa says now."""
    assert (await listed(world)).reason == "COST_EXCEEDS_CAPACITY"
    await world.sandbox.fault(fault="plan", rate=20)
    await world.gateway.CheckConnection(pb.CheckConnectionRequest())

    larger = await listed(world)

    await world.sandbox.fault(fault="plan", rate=1)
    await world.gateway.CheckConnection(pb.CheckConnectionRequest())
    assert larger.reason == "WAIT_TIMEOUT"
    assert larger.facts["per_minute"] == 1
    assert (await listed(world)).reason == "COST_EXCEEDS_CAPACITY"
