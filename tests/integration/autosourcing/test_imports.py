"""A list that a person brings becomes a job's products, over the wire."""

from pathlib import Path
from typing import Any

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.chassis.testing.refused import refusal
from tests.support import avault

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


async def test_avault_judges_a_list_and_keeps_what_is_decided_about_it(
    world: Any, tmp_path: Path
) -> None:
    """A9, A10: the bad lines are told one by one, the good ones with their own price are a job."""
    listed = tmp_path / "list.csv"
    listed.write_text("isbn,cost\n978-0-306-40615-7,12.50\n0306406153,1\nB00005N5PF,[9]\n")

    picks, said = await avault("run", "--file", str(listed), autosourcing=world.address)
    decision = ("--action", "to_buy", "--notes", "two copies")
    (decided,), _ = await avault("decide", picks[0]["name"], *decision, autosourcing=world.address)

    assert "line 3: the check digit of this ISBN-10 is wrong" in said
    assert "line 4: '[9]' is no price" in said
    assert "1 product from 3 lines; rejected: 2" in said
    assert [pick["score"]["asin"] for pick in picks] == ["0306406152"]
    job = await world.job(picks[0]["job"])
    assert job.spec.identifiers[0].buy_cents == 1250
    assert (decided["action"], decided["notes"]) == ("PICK_ACTION_TO_BUY", "two copies")
