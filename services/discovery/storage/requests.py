"""Request ids and what they were bound to."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import sql
from services.chassis.errors import Kind, Refusal
from services.discovery.storage.tables import requests

# Every search begins with it: written out, so that no statement is put together for each.
_BIND = (
    text("""
insert into discovery.requests as request (request_id, fingerprint, attempts, created_at)
values (:request_id, :fingerprint, 1, clock_timestamp())
on conflict (request_id) do update set attempts = request.attempts + 1
returning fingerprint, attempts, answer
""")
    .bindparams(bindparam("request_id", type_=Uuid))
    .columns(requests.c.fingerprint, requests.c.attempts, requests.c.answer)
)


class PostgresRequests:
    """Implements ``ports.Requests``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def bind(self, request_id: UUID, fingerprint: str) -> int:
        """Insert, or count one more; one statement, so racing copies agree."""
        async with sql.statement(self._engine) as connection:
            return (await bind(connection, request_id, fingerprint)).attempts


@dataclass(frozen=True, slots=True)
class Bound:
    """How often a request came, and what it was answered; None while it has no answer."""

    attempts: int
    answer: Any


async def bind(connection: AsyncConnection, request_id: UUID, fingerprint: str) -> Bound:
    """Bind an id to its content; until the transaction ends, copies of the request wait here.

    Raises:
        Refusal: REQUEST_ID_REUSED, when it came with other content before.
    """
    values = {"request_id": request_id, "fingerprint": fingerprint}
    known, attempts, answer = (await connection.execute(_BIND, values)).one()
    see_same(request_id, known, fingerprint)
    return Bound(int(attempts), answer)


def see_same(request_id: UUID, known: str, fingerprint: str) -> None:
    """See that an id comes with the content it is bound to.

    Raises:
        Refusal: REQUEST_ID_REUSED.
    """
    if known != fingerprint:
        raise Refusal(
            Kind.INVALID_ARGUMENT,
            "REQUEST_ID_REUSED",
            f"The request_id {request_id} came with other content before; use a new one.",
            facts={"request_id": str(request_id)},
        )
