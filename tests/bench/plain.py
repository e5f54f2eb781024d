"""What the ledger is measured against: an echo, and the way a user would write it.

The plain way is a row lock with the ORM and one transaction a call: read the account for update,
check, subtract, insert the reservation, commit. It knows no ticks, no floors and no envelopes.
"""

from typing import Any
from uuid import UUID, uuid4

import grpc
import grpc.aio
from arbitragevault.budget.v1 import budget_pb2 as budget
from sqlalchemy import BigInteger, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SERVICE = "bench.PlainService"
START_TOKENS = 1_000_000_000


class Base(DeclarativeBase):
    """The tables of the plain way."""


class PlainAccount(Base):
    """One hot row."""

    __tablename__ = "plain_account"
    name: Mapped[str] = mapped_column(primary_key=True)
    tokens: Mapped[int] = mapped_column(BigInteger)


class PlainReservation(Base):
    """One row a reservation."""

    __tablename__ = "plain_reservation"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tokens: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str]


class Plain:
    """The methods, with the messages of the real service."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def reserve(
        self, request: budget.ReserveTokensRequest, _: Any
    ) -> budget.ReserveTokensResponse:
        """Reserve one."""
        async with self._sessions() as session, session.begin():
            held = await self._reserve(session, request)
        return budget.ReserveTokensResponse(reservation=held)

    async def batch(
        self, request: budget.BatchReserveTokensRequest, _: Any
    ) -> budget.BatchReserveTokensResponse:
        """Reserve many, one after the other, a transaction each."""
        results = []
        for single in request.requests:
            async with self._sessions() as session, session.begin():
                held = await self._reserve(session, single)
            results.append(
                budget.ReserveTokensResult(request_id=single.request_id, reservation=held)
            )
        return budget.BatchReserveTokensResponse(results=results)

    async def _reserve(
        self, session: AsyncSession, request: budget.ReserveTokensRequest
    ) -> budget.Reservation:
        locked = select(PlainAccount).where(PlainAccount.name == "default").with_for_update()
        account = (await session.scalars(locked)).one()
        assert account.tokens >= request.token_count
        account.tokens -= request.token_count
        made = PlainReservation(
            id=UUID(request.request_id), tokens=request.token_count, state="HELD"
        )
        session.add(made)
        return budget.Reservation(name=f"reservations/{made.id}", token_count=made.tokens)


async def echo(request: budget.ReserveTokensRequest, _: Any) -> budget.ReserveTokensResponse:
    """Answer with what came."""
    held = budget.Reservation(
        name=f"reservations/{request.request_id}", token_count=request.token_count
    )
    return budget.ReserveTokensResponse(reservation=held)


async def echo_batch(
    request: budget.BatchReserveTokensRequest, _: Any
) -> budget.BatchReserveTokensResponse:
    """Answer each with what came."""
    results = [
        budget.ReserveTokensResult(
            request_id=single.request_id,
            reservation=budget.Reservation(
                name=f"reservations/{single.request_id}", token_count=single.token_count
            ),
        )
        for single in request.requests
    ]
    return budget.BatchReserveTokensResponse(results=results)


async def prepare(engine: AsyncEngine) -> None:
    """Make the tables and one rich account."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session, session.begin():
        session.add(PlainAccount(name="default", tokens=START_TOKENS))


def register(server: grpc.aio.Server, engine: AsyncEngine) -> None:
    """Add the methods and the echoes to a server."""
    plain = Plain(engine)
    _register(server, Reserve=_single(plain.reserve), Batch=_many(plain.batch), **_ECHOES)


def register_echo(server: grpc.aio.Server) -> None:
    """Add the echoes alone."""
    _register(server, **_ECHOES)


def _register(server: grpc.aio.Server, **handlers: Any) -> None:
    generic = grpc.method_handlers_generic_handler(SERVICE, handlers)
    server.add_generic_rpc_handlers((generic,))


def method(channel: grpc.aio.Channel, name: str) -> Any:
    """Give a callable for one of the methods."""
    batch = name.endswith("Batch")
    request = budget.BatchReserveTokensRequest if batch else budget.ReserveTokensRequest
    answer = budget.BatchReserveTokensResponse if batch else budget.ReserveTokensResponse
    return channel.unary_unary(
        f"/{SERVICE}/{name}",
        request_serializer=request.SerializeToString,
        response_deserializer=answer.FromString,
    )


def asked(tokens: int = 1) -> budget.ReserveTokensRequest:
    """Build a request with an id of its own."""
    return budget.ReserveTokensRequest(request_id=str(uuid4()), token_count=tokens)


def asked_many(count: int) -> budget.BatchReserveTokensRequest:
    """Build a batch."""
    return budget.BatchReserveTokensRequest(requests=[asked() for _ in range(count)])


def _single(behaviour: Any) -> Any:
    return _handler(behaviour, budget.ReserveTokensRequest, budget.ReserveTokensResponse)


def _many(behaviour: Any) -> Any:
    return _handler(behaviour, budget.BatchReserveTokensRequest, budget.BatchReserveTokensResponse)


def _handler(behaviour: Any, request: Any, answer: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=request.FromString,
        response_serializer=answer.SerializeToString,
    )


_ECHOES = {"Echo": _single(echo), "EchoBatch": _many(echo_batch)}
