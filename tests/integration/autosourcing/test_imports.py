"""A list that a person brings becomes a job's products, over the wire."""

from typing import Any

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.chassis.testing.refused import refusal

pytestmark = pytest.mark.anyio


async def test_what_was_imported_can_be_estimated(world: Any) -> None:
    """A9, A10: spends nothing; the answer's identifiers go into a spec as they are."""
    content = b"\xef\xbb\xbfisbn;prix\n9780306406157;$12.50\n9780306406158;3\n"
    asked = len(world.budget.asked)

    answer = await world.stub.ImportIdentifiers(pb.ImportIdentifiersRequest(content=content))
    given = [each.identifier for each in answer.identifiers]
    spec = pb.JobSpec(identifiers=given, include_recently_seen=True)
    priced = await world.stub.EstimateJob(pb.EstimateJobRequest(spec=spec))

    assert given == [pb.Identifier(value="0306406152", buy_cents=1250)]
    assert [(each.line, each.text) for each in answer.rejected_lines] == [(3, "9780306406158;3")]
    assert (answer.line_count, answer.rejected_count) == (2, 1)
    assert priced.estimated_token_count == 1
    assert len(world.budget.asked) == asked


async def test_what_cannot_be_read_is_refused_by_field(world: Any) -> None:
    for request, field in (
        (pb.ImportIdentifiersRequest(content=b"PK\x03\x04\x00"), "content"),
        (pb.ImportIdentifiersRequest(content=b"a;b", cost_column="c"), "cost_column"),
    ):
        refused = await refusal(world.stub.ImportIdentifiers(request))

        assert refused.violations[0].field == field
