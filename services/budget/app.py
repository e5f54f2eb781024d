"""The composition root: settings become engine, broker, ledger, servicer and loops."""

from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from functools import partial

import grpc.aio
from arbitragevault.budget.v1 import budget_pb2, budget_pb2_grpc

from services.budget.api import responses
from services.budget.api.servicer import BudgetServicer
from services.budget.domain.rules import Rules
from services.budget.domain.state import State
from services.budget.events.announce import Announcer, Words
from services.budget.settings import Settings
from services.budget.storage.ledger import CHANNEL
from services.budget.storage.readings import PostgresReadings
from services.budget.storage.relaying import LedgerSource
from services.budget.usecases.budget import Budget
from services.budget.usecases.desk import Desk
from services.budget.usecases.readings import Readings
from services.chassis import sql
from services.chassis.errors import Refusal
from services.chassis.events import nats
from services.chassis.events.publisher import Publisher
from services.chassis.events.relay import Relay
from services.chassis.run import Loop, Service

NAME = "budget"
LINGER_SECONDS = 0.1  # So that a stream of single commits is published in batches.
KEPT_ON_LOAN = 2  # Connections: a batch is stored on one while somebody reads on the other.
FULL_NAME = budget_pb2.DESCRIPTOR.services_by_name["BudgetService"].full_name


async def build(settings: Settings, stack: AsyncExitStack) -> Service:
    """Wire the service; what is opened here is closed in reverse at stop."""
    rules = Rules(
        tick=timedelta(seconds=settings.keepa_tick_seconds), queue_limit=settings.queue_limit
    )
    engine = sql.create_engine(settings.database_url, application=NAME)
    stack.push_async_callback(engine.dispose)
    driver = sql.Driver(engine, kept=KEPT_ON_LOAN)
    stack.push_async_callback(driver.close)
    ledger = PostgresReadings(driver)
    desk = Desk(ledger, rules, shortcut=ledger)
    stack.push_async_callback(desk.close)
    with suppress(Refusal):  # Then the first calls read it, or are refused.
        await desk.warm()
    bell = await stack.enter_async_context(sql.Bell(settings.database_url, CHANNEL))
    readings = Readings(desk, ledger, rules)
    servicer = BudgetServicer(Budget(desk, ledger), readings)

    patience = settings.start_patience_seconds
    broker = await stack.enter_async_context(
        nats.connection(settings.nats_url, NAME, patience_seconds=patience)
    )
    js = broker.jetstream()
    await nats.ensure_stream(js, NAME)

    async def look(account: str) -> tuple[State, datetime]:
        told = await readings.account(account)
        return told.state, told.now

    words = Words(responses.account, responses.reservation, responses.warning)
    source = LedgerSource(ledger, Announcer(words), look)
    relay = Relay(engine, source, Publisher(js), f"{NAME} relay", linger_seconds=LINGER_SECONDS)

    def register(server: grpc.aio.Server) -> None:
        budget_pb2_grpc.add_BudgetServiceServicer_to_server(servicer, server)

    return Service(
        name=NAME,
        register=register,
        full_names=[FULL_NAME],
        loops=[
            Loop("sweep", desk.sweep),
            Loop("listen", partial(desk.listen, bell)),
            Loop("relay", relay.run),
        ],
        finish=[desk.finish],
    )
