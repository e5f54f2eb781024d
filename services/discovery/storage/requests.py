"""Request ids and what they were bound to."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.errors import Kind, Refusal
from services.discovery.storage.single import statement
from services.discovery.storage.tables import requests


class PostgresRequests:
    """Implements ``ports.Requests``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def bind(self, request_id: UUID, fingerprint: str) -> int:
        """Insert, or count one more; one statement, so racing copies agree."""
        async with statement(self._engine) as connection:
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
    columns = requests.c
    bound = insert(requests).values(
        request_id=request_id,
        fingerprint=fingerprint,
        attempts=1,
        created_at=func.clock_timestamp(),
    )
    bound = bound.on_conflict_do_update(
        index_elements=[columns.request_id], set_={"attempts": columns.attempts + 1}
    )
    asked = bound.returning(columns.fingerprint, columns.attempts, columns.answer)
    known, attempts, answer = (await connection.execute(asked)).one()
    if known != fingerprint:
        raise Refusal(
            Kind.INVALID_ARGUMENT,
            "REQUEST_ID_REUSED",
            f"The request_id {request_id} came with other content before; use a new one.",
            facts={"request_id": str(request_id)},
        )
    return Bound(int(attempts), answer)
