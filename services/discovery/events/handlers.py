"""Takes in what autosourcing's jobs ask for."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from arbitragevault.autosourcing.v1 import events_pb2 as events
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.events.delivery import Delivery, Poison
from services.chassis.rpc.call import current_call
from services.discovery.domain.criteria import Filter, Options
from services.discovery.domain.steps import StepKind, Task
from services.discovery.ports import Intake

Join = Callable[[AsyncConnection], Intake]
"""Takes in inside the transaction that holds the inbox row."""

MOST_ASINS = 100


class JobEvents:
    """Each handler only stores a step: a worker does it, outside of the event's time.

    Safe to run twice: a step's id is its row's. A request that can never be done is poison.
    """

    def __init__(
        self,
        join: Join,
        filter_of: Callable[[pb.DiscoveryFilter], Filter],
        options_of: Callable[[pb.ScoringOptions], Options],
    ) -> None:
        self._join = join
        self._filter_of = filter_of
        self._options_of = options_of

    async def on_discovery_requested(
        self, event: events.DiscoveryRequested, delivery: Delivery, connection: AsyncConnection
    ) -> None:
        """Store a search."""
        task = Task(
            kind=StepKind.DISCOVERY,
            job=event.job,
            step_id=_step_id(event.step_id),
            envelope=event.envelope,
            caller=event.caller,
            force_refresh=event.force_refresh,
            deadline=_instant(event.deadline_time),
            filter=self._filter_of(event.filter),
        )
        await self._accept(task, delivery, connection)

    async def on_scoring_requested(
        self, event: events.ScoringRequested, delivery: Delivery, connection: AsyncConnection
    ) -> None:
        """Store a scoring."""
        if len(event.asins) > MOST_ASINS:
            raise Poison(f"asks for {len(event.asins)} products, at most {MOST_ASINS} are allowed")
        task = Task(
            kind=StepKind.SCORING,
            job=event.job,
            step_id=_step_id(event.step_id),
            envelope=event.envelope,
            caller=event.caller,
            force_refresh=event.force_refresh,
            deadline=_instant(event.deadline_time),
            domain=event.domain or 1,
            asins=tuple(dict.fromkeys(event.asins)),
            options=self._options_of(event.options),
            kept=_kept(event),
        )
        await self._accept(task, delivery, connection)

    async def _accept(self, task: Task, delivery: Delivery, connection: AsyncConnection) -> None:
        intake = self._join(connection)
        await intake.accept(task, delivery.event_id, current_call().traceparent)


def _kept(event: events.ScoringRequested) -> int | None:
    return max(0, event.kept_token_count) if event.HasField("kept_token_count") else None


def _step_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Poison(f"step_id {text!r} is no UUID") from None


def _instant(time: Timestamp) -> datetime:
    if not time.seconds:
        raise Poison("the request has no deadline")
    return time.ToDatetime(tzinfo=UTC)
