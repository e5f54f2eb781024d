"""Answers of discovery that come a second time change nothing."""

from collections.abc import Sequence
from typing import Any

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.autosourcing.v1 import events_pb2 as events
from google.protobuf.message import Message

pytestmark = pytest.mark.anyio


async def test_an_answer_that_comes_twice_has_its_effect_once(world: Any) -> None:
    """A2: also under another id, which no inbox knows, and also when the job has ended."""
    said: list[Message] = []

    def twice(event: Message) -> Sequence[Message]:
        answers = world.discovery.usual(event)
        said.extend(answers)
        return [*answers, *answers]

    world.discovery.answer = twice
    created = await world.create()
    job = await world.ended(created.name)
    picks, order = await world.picks(job.name), world.discovery.order(job.name)
    spent = list(world.budget.released)

    for answer in said:
        await world.discovery.say(answer)
    other = await world.create()
    await world.ended(other.name)  # Its answers come behind those, in each reader's order.

    assert job.state == pb.JOB_STATE_COMPLETED
    assert len(picks) == job.pick_count == job.analyzed_count > 0
    assert len(world.discovery.of(events.PickFound, job.name)) == len(picks)
    assert order.count("JobFinished") == 1
    assert await world.job(job.name) == job
    assert await world.picks(job.name) == picks
    assert world.discovery.order(job.name) == order
    assert world.budget.released[: len(spent)] == spent
    assert not await world.execute("select 1 from autosourcing.dead_letters")
