"""What a script learns from the command line about a job that it follows."""

from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from tests.support import avault_each

pytestmark = pytest.mark.anyio


async def test_a_job_that_did_not_complete_ends_its_command_with_a_code_of_its_own(
    world: Any,
) -> None:
    """A job without tokens looked like one that had nothing to find; its picks are shown still."""
    done = await world.ended((await world.create()).name)
    world.discovery.answer = lambda _: []  # The next job goes on until it is cancelled.
    cancelled = await world.create()
    await world.stub.CancelJob(pb.CancelJobRequest(request_id=str(uuid4()), name=cancelled.name))
    world.budget.available = 10  # No gate is open.

    ran, completed, ended_early, only_shown = await avault_each(
        ["run", "--rank-max", "80000", "--wait", "1"],
        ["job", done.name, "--watch"],
        ["job", cancelled.name, "--watch"],
        ["job", cancelled.name],
        autosourcing=world.address,
    )

    assert (ran.code, completed.code, ended_early.code, only_shown.code) == (4, 0, 4, 0)
    assert "BUDGET_STOPPED" in ran.err
    assert "CANCELLED" in ended_early.out
    assert "BUY" in completed.out
