"""Request ids and what they were bound to."""

from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.errors import Kind, Refusal
from services.discovery.storage.single import statement
from services.discovery.storage.tables import requests


class PostgresRequests:
    """Implements ``ports.Requests``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def bind(self, request_id: UUID, fingerprint: str) -> int:
        """Insert, or count one more; one statement, so racing copies agree."""
        bound = insert(requests).values(
            request_id=request_id,
            fingerprint=fingerprint,
            attempts=1,
            created_at=func.clock_timestamp(),
        )
        bound = bound.on_conflict_do_update(
            index_elements=[requests.c.request_id],
            set_={"attempts": requests.c.attempts + 1},
        )
        async with statement(self._engine) as connection:
            answer = bound.returning(requests.c.fingerprint, requests.c.attempts)
            known, attempts = (await connection.execute(answer)).one()
        if known != fingerprint:
            raise Refusal(
                Kind.INVALID_ARGUMENT,
                "REQUEST_ID_REUSED",
                f"The request_id {request_id} came with other content before; use a new one.",
                facts={"request_id": str(request_id)},
            )
        return int(attempts)
