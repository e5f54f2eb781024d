"""The composition root: settings become engine, broker, Keepa, use cases and loops."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import grpc.aio
from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceStub
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2, keepa_gateway_pb2_grpc
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql, telemetry
from services.chassis.clock import SystemClock
from services.chassis.events import nats
from services.chassis.events.publisher import Publisher
from services.chassis.events.relay import Relay
from services.chassis.rpc.client import create_channel
from services.chassis.run import Loop, Service, StartError
from services.keepa_gateway.api.servicer import KeepaGatewayServicer
from services.keepa_gateway.clients.budget import GrpcBudget
from services.keepa_gateway.clients.keepa import HttpKeepa, create_client
from services.keepa_gateway.events.announce import event
from services.keepa_gateway.settings import Settings
from services.keepa_gateway.storage.attempts import PostgresAttempts
from services.keepa_gateway.storage.gate import PostgresGate
from services.keepa_gateway.storage.listings import PostgresListings
from services.keepa_gateway.storage.packing import pack
from services.keepa_gateway.storage.snapshots import PostgresSnapshots
from services.keepa_gateway.storage.tables import outbox
from services.keepa_gateway.storage.turn import PostgresTurn
from services.keepa_gateway.usecases.balance import Balance
from services.keepa_gateway.usecases.buying import Tools
from services.keepa_gateway.usecases.chores import Chores
from services.keepa_gateway.usecases.estimates import Estimates
from services.keepa_gateway.usecases.flights import Flights
from services.keepa_gateway.usecases.gathering import Gatherer
from services.keepa_gateway.usecases.lists import Lists
from services.keepa_gateway.usecases.paid import PaidSections
from services.keepa_gateway.usecases.products import Products
from services.keepa_gateway.usecases.reconciler import Reconciler
from services.keepa_gateway.usecases.tally import Tally
from services.keepa_gateway.usecases.way import Way

NAME = "keepa_gateway"
LINGER_SECONDS = 0.25  # So that products fetched one by one are told in batches.
KEPT_ON_LOAN = 3  # Connections: an outcome is stored, one before is noted, the next looks.
FULL_NAME = keepa_gateway_pb2.DESCRIPTOR.services_by_name["KeepaGatewayService"].full_name


async def build(settings: Settings, stack: AsyncExitStack) -> Service:
    """Wire the service; what is opened here is closed in reverse at stop."""
    engine = sql.create_engine(settings.database_url, application=NAME, pool_size=16)
    stack.push_async_callback(engine.dispose)
    patience = settings.start_patience_seconds
    broker = await stack.enter_async_context(
        nats.connection(settings.nats_url, NAME, patience_seconds=patience)
    )
    js = broker.jetstream()
    await nats.ensure_stream(js, NAME)
    channel = create_channel(settings.budget_target, caller=NAME)
    await stack.enter_async_context(channel)
    parts = await assemble(settings, stack, engine, channel)
    relay = Relay(engine, outbox, Publisher(js), f"{NAME} relay", linger_seconds=LINGER_SECONDS)
    return Service(
        name=NAME,
        register=parts.register,
        full_names=[FULL_NAME],
        loops=[*parts.loops, Loop("relay", relay.run)],
        finish=parts.finish,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The gateway without its broker."""

    register: Callable[[grpc.aio.Server], None]
    loops: Sequence[Loop]
    finish: Sequence[Callable[[], Awaitable[None]]]


async def assemble(
    settings: Settings, stack: AsyncExitStack, engine: AsyncEngine, channel: grpc.aio.Channel
) -> Parts:
    """Wire everything between the database, Keepa and budget."""
    clock, tick = SystemClock(), timedelta(seconds=settings.keepa_tick_seconds)
    margin = timedelta(seconds=settings.hold_margin_seconds)
    keepa = await _keepa(settings, stack)
    budget = GrpcBudget(
        BudgetServiceStub(channel),
        settings.account,
        deadlines=settings.deadlines,
        margin=margin,
    )
    announce = partial(event, account=settings.account)
    driver = sql.Driver(engine, kept=KEPT_ON_LOAN)
    stack.push_async_callback(driver.close)
    gate = PostgresGate(
        engine,
        driver,
        announce,
        account=settings.account,
        tick=tick,
        per_minute=settings.throttle_per_minute,
        burst=settings.throttle_burst,
    )
    await gate.prepare()
    attempts = PostgresAttempts(engine, driver, gate, announce, grace=margin)
    snapshots, listings = PostgresSnapshots(engine, driver), PostgresListings(engine)
    turn, tally = PostgresTurn(engine), Tally(gate)
    way = Way(
        gate=gate,
        attempts=attempts,
        budget=budget,
        clock=clock,
        deadlines=settings.deadlines,
        tick=tick,
        per_minute=settings.throttle_per_minute,
        burst=settings.throttle_burst,
    )
    paid = PaidSections(keepa=keepa, attempts=attempts, budget=budget, way=way)
    balance = Balance(keepa=keepa, gate=gate, budget=budget, way=way, turn=turn)
    reconciler = Reconciler(
        attempts=attempts,
        budget=budget,
        gate=gate,
        way=way,
        paid=paid,
        balance=balance,
        turn=turn,
        tick=tick,
    )
    gatherer = Gatherer(way=way, paid=paid, snapshots=snapshots, packer=pack)
    tools = Tools(
        attempts=attempts,
        snapshots=snapshots,
        budget=budget,
        way=way,
        paid=paid,
        packer=pack,
        tally=tally,
        flights=Flights(),
        gatherer=gatherer,
    )
    lists = Lists(attempts=attempts, listings=listings, way=way, paid=paid)
    servicer = KeepaGatewayServicer(
        products=Products(tools),
        lists=lists,
        estimates=Estimates(snapshots=snapshots, lists=lists, way=way),
        balance=balance,
        gate=gate,
        way=way,
        account=budget.account,
        packer=pack,
        per_minute=settings.throttle_per_minute,
    )
    chores = Chores(turn, [attempts.purge, snapshots.purge, listings.purge])
    return Parts(
        register=partial(_register, servicer),
        loops=[
            Loop("balance", balance.watch),
            Loop("reconciler", reconciler.run),
            Loop("tally", tally.run),
            Loop("chores", chores.run),
        ],
        finish=[gatherer.finish, paid.finish, tally.flush],
    )


async def _keepa(settings: Settings, stack: AsyncExitStack) -> HttpKeepa:
    """Read the key once, hide it from every log line, and open the one client."""
    try:
        key = settings.read_key()
    except OSError as error:
        raise StartError(f"KEEPA_API_KEY_FILE cannot be read: {error.strerror}.") from None
    if not key:
        raise StartError("The Keepa key is empty: put it into KEEPA_API_KEY_FILE.")
    telemetry.hide(key)
    client = create_client(settings.keepa_base_url)
    await stack.enter_async_context(client)
    return HttpKeepa(client, key, settings.deadlines)


def _register(servicer: KeepaGatewayServicer, server: grpc.aio.Server) -> None:
    keepa_gateway_pb2_grpc.add_KeepaGatewayServiceServicer_to_server(servicer, server)
