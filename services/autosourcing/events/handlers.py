"""Takes the events of ``arbitragevault.discovery.v1`` that answer a job's steps."""

from collections.abc import Callable

from arbitragevault.discovery.v1 import events_pb2 as events
from sqlalchemy.ext.asyncio import AsyncConnection

from services.autosourcing.domain.job import Found, Scored
from services.autosourcing.events import translate
from services.autosourcing.ports import Work
from services.autosourcing.usecases.answering import Answering, UnknownJobError
from services.chassis.events.delivery import Delivery, Poison

Join = Callable[[AsyncConnection], Work]
"""Begins work inside the transaction that holds the inbox row."""


class DiscoveryEvents:
    """Each handler is safe to run twice: a step counts once, and a job ends once.

    An event that names no job of ours, or nothing at all, is poison: no redelivery cures it.
    """

    def __init__(self, answering: Answering, join: Join) -> None:
        self._answering = answering
        self._join = join

    async def on_discovery_completed(
        self, event: events.DiscoveryCompleted, _: Delivery, connection: AsyncConnection
    ) -> None:
        """A search ended with products, or without any that match."""
        await self._found(event.job, event.step_id, translate.found(event), connection)

    async def on_discovery_failed(
        self, event: events.DiscoveryFailed, _: Delivery, connection: AsyncConnection
    ) -> None:
        """A search failed."""
        await self._found(event.job, event.step_id, translate.nothing_found(event), connection)

    async def on_scoring_completed(
        self, event: events.ScoringCompleted, _: Delivery, connection: AsyncConnection
    ) -> None:
        """Products were scored."""
        await self._scored(event.job, event.step_id, translate.scored(event), connection)

    async def on_scoring_failed(
        self, event: events.ScoringFailed, _: Delivery, connection: AsyncConnection
    ) -> None:
        """No product could be scored."""
        await self._scored(event.job, event.step_id, translate.nothing_scored(event), connection)

    async def _found(self, job: str, step: str, answer: Found, connection: AsyncConnection) -> None:
        job_id, step_id = translate.identity(job, "job"), translate.identity(step, "step_id")
        try:
            await self._answering.found(self._join(connection), job_id, step_id, answer)
        except UnknownJobError as error:
            raise Poison(str(error)) from error

    async def _scored(
        self, job: str, step: str, answer: Scored, connection: AsyncConnection
    ) -> None:
        job_id, step_id = translate.identity(job, "job"), translate.identity(step, "step_id")
        try:
            await self._answering.scored(self._join(connection), job_id, step_id, answer)
        except UnknownJobError as error:
            raise Poison(str(error)) from error
