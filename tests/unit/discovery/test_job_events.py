"""What autosourcing's jobs ask for, as steps."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import events_pb2 as job_events

from services.chassis.events.delivery import Delivery, Poison
from services.discovery.api import requests
from services.discovery.domain.steps import StepKind, Task
from services.discovery.events.handlers import JobEvents

NOW = datetime(2026, 9, 15, tzinfo=UTC)


class Tray:
    """Keeps what was taken in."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    async def accept(self, task: Task, *_: object) -> None:
        """Keep a task."""
        self.tasks.append(task)


def delivery() -> Delivery:
    return Delivery(event_id=uuid4(), subject="x", occurred_at=NOW, attempt=1)


def wanted(**changes: object) -> job_events.ScoringRequested:
    event = job_events.ScoringRequested(
        job=f"jobs/{uuid4()}", step_id=str(uuid4()), asins=["B000000002", "B000000001"]
    )
    event.deadline_time.FromDatetime(NOW)
    for name, value in changes.items():
        setattr(event, name, value)
    return event


@pytest.mark.anyio
async def test_a_request_is_stored_as_it_was_asked() -> None:
    """Order counts, copies do not."""
    tray = Tray()
    event = wanted(envelope=f"reservations/{uuid4()}", caller="reseller")
    event.asins.append("B000000002")

    handlers = JobEvents(lambda _: tray, requests.filter_of, requests.options)
    await handlers.on_scoring_requested(event, delivery(), None)  # type: ignore[arg-type]

    (task,) = tray.tasks
    assert task.kind is StepKind.SCORING
    assert task.asins == ("B000000002", "B000000001")
    assert (task.envelope, task.caller, task.deadline) == (event.envelope, "reseller", NOW)


@pytest.mark.anyio
@pytest.mark.parametrize("broken", ["step", "deadline", "too many"])
async def test_a_request_that_can_never_be_done_is_poison(broken: str) -> None:
    """Delivering it again for ever would cure nothing (A13)."""
    event = wanted()
    if broken == "step":
        event.step_id = "nonsense"
    elif broken == "deadline":
        event.ClearField("deadline_time")
    else:
        event.asins.extend(f"B{number:09d}" for number in range(100))

    handlers = JobEvents(lambda _: Tray(), requests.filter_of, requests.options)

    with pytest.raises(Poison):
        await handlers.on_scoring_requested(event, delivery(), None)  # type: ignore[arg-type]
