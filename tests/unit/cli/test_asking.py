"""How the pages of a list become one list."""

from typing import Any

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import asking

pytestmark = pytest.mark.anyio


async def test_what_cannot_be_read_is_told_beside_the_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A schedule that is missing without a word is one that somebody makes again."""

    async def schedules(request: Any) -> autosourcing.ListSchedulesResponse:
        if request.page_token:
            return autosourcing.ListSchedulesResponse(unreachable=["schedules/two"])
        one = autosourcing.Schedule(name="schedules/one")
        return autosourcing.ListSchedulesResponse(schedules=[one], next_page_token="more")

    async def revisions(_: Any) -> discovery.ListScoringConfigRevisionsResponse:
        return discovery.ListScoringConfigRevisionsResponse(unreachable_revisions=[7])

    listed = autosourcing.ListSchedulesRequest()
    found = await asking.first_of(schedules, listed, "schedules", 10)
    told = capsys.readouterr().err
    await asking.first_of(revisions, discovery.ListScoringConfigRevisionsRequest(), "revisions", 10)

    assert [each.name for each in found] == ["schedules/one"]
    assert "schedules/two" in told
    assert "revision 7" in capsys.readouterr().err
