"""A caller's view of BudgetService: builders with defaults, over a real port."""
# ruff: noqa: D102 - the names say it

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import budget_pb2_grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from services.budget.api.servicer import BudgetServicer
from services.budget.domain.commands import Sweep
from services.budget.domain.rules import STANDARD, Rules
from services.budget.storage.readings import PostgresReadings
from services.budget.usecases.budget import Budget
from services.budget.usecases.desk import Desk
from services.budget.usecases.readings import Readings
from services.chassis import sql
from tests.support import Served, serve

NAME = "arbitragevault.budget.v1.BudgetService"


@dataclass(frozen=True)
class Service:
    """A served BudgetService.

    Attributes:
        stub: Calls it as caller `test`.
        desk: Its inside, for tests that make time pass.
    """

    stub: budget_pb2_grpc.BudgetServiceStub
    served: Served
    desk: Desk

    async def sweep(self) -> None:
        await self.desk.at("default", Sweep())

    async def report(self, tokens: int, **fields: object) -> pb.ReportBalanceResponse:
        return await self.stub.ReportBalance(report(tokens, **fields))

    async def reserve(self, tokens: int = 1, **fields: object) -> pb.Reservation:
        return (await self.stub.ReserveTokens(reserve(tokens, **fields))).reservation

    async def account(self) -> pb.Account:
        return (await self.stub.GetAccount(pb.GetAccountRequest(name="accounts/default"))).account


@asynccontextmanager
async def budget(
    database_url: str, rules: Rules = STANDARD, **verifying: Any
) -> AsyncIterator[Service]:
    engine = sql.create_engine(database_url, application="test", pool_size=4)
    driver = sql.Driver(engine, kept=1)
    ledger = PostgresReadings(driver)
    desk = Desk(ledger, rules, shortcut=ledger)
    readings = Readings(desk, ledger, rules, **verifying)
    servicer = BudgetServicer(Budget(desk, ledger), readings)

    def register(server: object) -> None:
        budget_pb2_grpc.add_BudgetServiceServicer_to_server(servicer, server)

    try:
        async with serve(register, service="budget", full_names=[NAME]) as served:
            yield Service(budget_pb2_grpc.BudgetServiceStub(served.channel), served, desk)
    finally:
        await desk.close()
        await driver.close()
        await engine.dispose()


def reserve(tokens: int = 1, **fields: object) -> pb.ReserveTokensRequest:
    return pb.ReserveTokensRequest(**({"request_id": str(uuid4()), "token_count": tokens} | fields))


def commit(held: pb.Reservation, tokens: int, **fields: object) -> pb.CommitReservationRequest:
    usual = {"request_id": str(uuid4()), "name": held.name, "consumed_token_count": tokens}
    return pb.CommitReservationRequest(**(usual | fields))


def release(held: pb.Reservation, **fields: object) -> pb.ReleaseReservationRequest:
    usual = {
        "request_id": str(uuid4()),
        "name": held.name,
        "reason": pb.RELEASE_REASON_NOT_SENT,
    }
    return pb.ReleaseReservationRequest(**(usual | fields))


def extend(held: pb.Reservation, seconds: float, **fields: object) -> pb.ExtendReservationRequest:
    usual = {"request_id": str(uuid4()), "name": held.name, "hold_duration": span(seconds)}
    return pb.ExtendReservationRequest(**(usual | fields))


def report(tokens: int, **fields: object) -> pb.ReportBalanceRequest:
    usual = {"request_id": str(uuid4()), "observation": seen(tokens)}
    return pb.ReportBalanceRequest(**(usual | fields))


def seen(tokens: int, **fields: object) -> pb.Observation:
    usual = {
        "keepa_time": instant(datetime.now(UTC)),
        "token_count": tokens,
        "refill_wait_duration": span(60),
        "refill_rate": 20,
    }
    return pb.Observation(**(usual | fields))


def instant(at: datetime) -> Timestamp:
    built = Timestamp()
    built.FromDatetime(at)
    return built


def span(seconds: float) -> Duration:
    built = Duration()
    built.FromTimedelta(timedelta(seconds=seconds))
    return built
